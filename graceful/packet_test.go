//go:build !windows

package graceful

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/porttest"
)

func mustListenPacket(t *testing.T, u *Upgrader, address string) net.PacketConn {
	t.Helper()
	pc, err := u.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func TestPacketsGoToTheOneThatServes(t *testing.T) {
	t.Parallel()
	before, now := make(chan net.PacketConn, 1), make(chan struct{})
	u, _ := ready(t, func(c *fakeChild) {
		pc, err := c.u.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
		}
		before <- pc
		<-now
		_ = c.u.Ready()
	})
	old := mustListenPacket(t, u, "127.0.0.1:0")
	client, err := net.Dial("udp", old.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	send := func(text string) {
		t.Helper()
		if _, err := client.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(pc net.PacketConn, want string) net.Addr {
		t.Helper()
		b := make([]byte, 64)
		_ = pc.SetReadDeadline(time.Now().Add(time.Minute))
		n, from, err := pc.ReadFrom(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("got %q, %v; want %q", b[:n], err, want)
		}
		return from
	}
	done := make(chan error, 1)
	go func() { done <- u.Reload(context.Background(), quick) }()
	next := <-before
	// Not ready: the packet is for the old one, however long the new one waits.
	_ = next.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	send("one")
	if _, _, err := next.ReadFrom(make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the new one read before its time: %v", err)
	}
	peer := receive(old, "one")
	_ = old.SetReadDeadline(time.Time{})
	blocked := make(chan error, 1)
	go func() {
		_, _, err := old.ReadFrom(make([]byte, 64))
		blocked <- err
	}()
	close(now)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range 20 {
		send("two")
		receive(next, "two")
	}
	// The old one may still say good-bye.
	if _, err := old.WriteTo([]byte("bye"), peer); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	_ = client.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := client.Read(b); err != nil || string(b[:n]) != "bye" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	select {
	case err := <-blocked:
		t.Fatalf("the read of the old one ended: %v", err)
	default:
	}
	_ = old.SetReadDeadline(time.Now()) // how a transport ends its reader
	if err := <-blocked; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	_ = old.SetReadDeadline(time.Time{})
	go func() {
		_, _, err := old.ReadFrom(b)
		blocked <- err
	}()
	if err := errors.Join(old.Close(), old.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-blocked; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("%v", err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPacketConnIsAnOrdinaryOneWithoutReload(t *testing.T) {
	t.Parallel()
	u, _ := ready(t, nil)
	pc := mustListenPacket(t, u, fmt.Sprint("127.0.0.1:", porttest.FreeUDP(t)))
	buffers := pc.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	if err := errors.Join(buffers.SetReadBuffer(1<<16), buffers.SetWriteBuffer(1<<16), pc.SetWriteDeadline(time.Time{})); err != nil {
		t.Fatal(err)
	}
	_ = pc.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, err := pc.ReadFrom(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	addr := pc.LocalAddr().String()
	_ = pc.Close()
	if _, _, err := pc.ReadFrom(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	porttest.Released()
	again := mustListenPacket(t, u, addr)
	if !strings.HasSuffix(addr, again.LocalAddr().String()) {
		t.Errorf("%s became %s", addr, again.LocalAddr())
	}
}
