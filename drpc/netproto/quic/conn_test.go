package quic

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/osgochina/dmicro/internal/conntest"
)

func TestCloseDeliversWhatWasWritten(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{Linger: conntest.Patience})
	conntest.CloseDelivers(t, client, server, nil)
}

func TestBothSidesCloseAtOnceWithoutWaiting(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{Linger: conntest.Patience})
	begin := time.Now()
	var wg sync.WaitGroup
	for _, c := range []*Conn{client, server, client} {
		wg.Go(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > conntest.Patience/2 {
		t.Errorf("it took %v", took)
	}
}

func TestCloseDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{Linger: 100 * time.Millisecond})
	begin := time.Now()
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 100*time.Millisecond || took > conntest.Patience/2 {
		t.Errorf("Close took %v", took)
	}
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer gets %v", err)
	}
}

func TestCloseEndsWhoeverWaits(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: 50 * time.Millisecond})
	conntest.CloseEndsWaiters(t, client, func() bool { return true })
}

func TestDeadlinesEndWhoeverWaits(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: time.Millisecond})
	_ = client.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	if n, err := client.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n > 16<<20 {
		t.Errorf("write: %d, %v", n, err)
	}
}

// A socket that is nothing but a packet connection, such as an inherited one, serves too.
func TestPeerThatFallsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	const idle = 2 * time.Second
	pc := conntest.NewLossy(t)
	ln := serve(t, pc, fixed(development), Config{Idle: idle, Linger: time.Millisecond})
	client := dialTo(t, ln.Addr(), development, Config{Idle: idle, Linger: conntest.Patience})
	conntest.Accept(t, ln)
	var gone *quicgo.IdleTimeoutError
	if err := conntest.SilenceIsNoticed(t, client, pc, idle); !errors.As(err, &gone) {
		t.Errorf("%v", err)
	}
}
