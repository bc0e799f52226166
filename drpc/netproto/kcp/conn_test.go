package kcp

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/conntest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestCloseDeliversWhatWasWritten(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{Linger: conntest.Patience})
	conntest.CloseDelivers(t, client, server, func() {
		if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write to a peer that has closed: %v", err)
		}
	})
}

func TestCloseDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{Linger: 100 * time.Millisecond})
	if _, err := client.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 100*time.Millisecond || took > conntest.Patience/2 {
		t.Errorf("Close took %v", took)
	}
	polltest.Until(t, "the server knows", func() bool { return server.lost() != nil })
}

func TestCloseEndsWhoeverWaits(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: 50 * time.Millisecond})
	conntest.CloseEndsWaiters(t, client, func() bool { return isWriting(client) })
}

// isWriting reports whether a Write is under way.
func isWriting(c *Conn) bool {
	if c.writing.TryLock() {
		c.writing.Unlock()
		return false
	}
	return true
}

// KCP by itself does not look at a deadline that is set while it waits.
func TestDeadlinesReachWhoeverWaits(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: time.Millisecond})
	for op, f := range map[string]func() error{
		"read": func() error { _, err := client.Read(make([]byte, 1)); return err },
		"write": func() error {
			_, err := client.Write(make([]byte, 64<<20)) // which nobody reads
			return err
		},
	} {
		got := make(chan error, 1)
		go func() { got <- f() }()
		select {
		case err := <-got:
			t.Fatalf("%s does not wait: %v", op, err)
		case <-time.After(20 * time.Millisecond):
		}
		if err := client.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-got:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", op, err)
			}
		case <-time.After(conntest.Patience):
			t.Fatalf("%s waits for ever", op)
		}
		if err := client.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeadlineThatIsTakenBackEndsNothing(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{})
	_ = client.SetReadDeadline(time.Unix(1, 0))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	_ = client.SetReadDeadline(time.Time{})
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestWriterIsHeldBackByAReaderThatIsSlow(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: time.Millisecond})
	_ = client.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := client.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// Both windows, and what Write takes at a time.
	if most := 4*window*mtu + 2*maxWrite; n > most {
		t.Errorf("%d bytes were taken although nobody reads, more than %d", n, most)
	}
}

func TestPeerThatFallsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	const idle = 2 * time.Second
	pc := conntest.NewLossy(t)
	ln := ServeConn(pc, Config{Idle: idle})
	t.Cleanup(func() { _ = ln.Close() })
	client := dialTo(t, ln.Addr(), Config{Idle: idle, Linger: conntest.Patience})
	conntest.Accept(t, ln)
	err := conntest.SilenceIsNoticed(t, client, pc, idle)
	var gone *IdleError
	if !errors.As(err, &gone) || !gone.Timeout() || gone.Temporary() || gone.After < idle {
		t.Errorf("%v", err)
	}
}

// A server that is started anew knows nothing of the conversations of the one before, and says so.
func TestServerThatIsNewEndsOldConversations(t *testing.T) {
	t.Parallel()
	socket := porttest.ListenUDP(t)
	first := ServeConn(socket, Config{Linger: time.Millisecond})
	client := dialTo(t, first.Addr(), Config{})
	conntest.Accept(t, first)
	_ = socket.Close()
	_ = first.Close()
	pc, err := net.ListenPacket("udp", first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	second := ServeConn(pc, Config{})
	defer func() { _ = second.Close() }()
	if _, err = client.Write([]byte("x")); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	_ = client.SetReadDeadline(time.Now().Add(conntest.Patience))
	_, err = client.Read(make([]byte, 1))
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
	dialTo(t, second.Addr(), Config{})
	conntest.Accept(t, second)
}
