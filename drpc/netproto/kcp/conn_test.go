package kcp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/conntest"
)

func TestCloseDeliversWhatWasWritten(t *testing.T) {
	t.Parallel()
	client, server := pair(t, Config{Linger: conntest.Patience})
	sent := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := client.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err = server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write to a peer that has closed: %v", err)
	}
	begin := time.Now()
	if err = server.Close(); err != nil || time.Since(begin) > conntest.Patience/2 {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	wg.Wait()
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
	if took := time.Since(begin); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	conntest.Within(t, "the server knows", func() bool { return server.lost() != nil })
}

func TestCloseEndsWhoeverWaits(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: 50 * time.Millisecond})
	errs := make(chan error, 2)
	go func() {
		_, err := client.Read(make([]byte, 1))
		errs <- err
	}()
	go func() {
		_, err := client.Write(make([]byte, 64<<20)) // which nobody reads
		errs <- err
	}()
	conntest.Within(t, "somebody writes", func() bool { return isWriting(client) })
	_ = client.Close()
	for range 2 {
		select {
		case err := <-errs:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
		case <-time.After(conntest.Patience):
			t.Fatal("it waits for ever")
		}
	}
	if err := client.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := client.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline after Close: %v", err)
	}
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

// lossy is a packet connection that can be cut.
type lossy struct {
	net.PacketConn
	cut chan struct{}
}

func (l *lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-l.cut:
		return len(b), nil
	default:
		return l.PacketConn.WriteTo(b, to)
	}
}

func TestPeerThatFallsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const idle = 2 * time.Second
	silent := &lossy{pc, make(chan struct{})}
	ln := ServeConn(silent, Config{Idle: idle})
	t.Cleanup(func() { _ = ln.Close() })
	client := dialTo(t, ln.Addr(), Config{Idle: idle, Linger: conntest.Patience})
	conntest.Accept(t, ln)
	// As long as it answers it may say nothing.
	_ = client.SetReadDeadline(time.Now().Add(2 * idle))
	if _, err = client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a peer that lives: %v", err)
	}
	_ = client.SetReadDeadline(time.Time{})
	close(silent.cut)
	begin := time.Now()
	_, err = client.Read(make([]byte, 1))
	var gone *IdleError
	if !errors.As(err, &gone) || !gone.Timeout() || gone.Temporary() || gone.After < idle {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > conntest.Patience/2 {
		t.Errorf("noticed after %v", took)
	}
	begin = time.Now()
	if err = client.Close(); err != nil || time.Since(begin) > conntest.Patience/2 {
		t.Errorf("closing what is lost: %v, %v", err, time.Since(begin))
	}
}

// A server that is started anew knows nothing of the conversations of the one before, and says so.
func TestServerThatIsNewEndsOldConversations(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := ServeConn(pc, Config{Linger: time.Millisecond})
	client := dialTo(t, first.Addr(), Config{})
	conntest.Accept(t, first)
	_ = pc.Close()
	_ = first.Close()
	pc, err = net.ListenPacket("udp", first.Addr().String())
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
