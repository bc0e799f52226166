//go:build !windows

package graceful

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

func TestPatientListenerEndsWithItsUserAndNotWithTheHandOver(t *testing.T) {
	t.Parallel()
	u, _ := ready(t, func(c *fakeChild) {
		_, _ = c.u.Listen(context.Background(), "tcp", "127.0.0.1:0")
		_ = c.u.Ready()
	})
	ln := Patient(mustListen(t, u, "tcp", "127.0.0.1:0"))
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if in, err := ln.Accept(); err != nil {
		t.Fatal(err)
	} else {
		defer in.Close()
	}
	ended := make(chan error, 1)
	go func() {
		_, err := ln.Accept()
		ended <- err
	}()
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("Accept ended with the hand-over: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	_ = ln.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
