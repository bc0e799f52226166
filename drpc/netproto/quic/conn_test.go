package quic

import (
	"bytes"
	"errors"
	"io"
	"net"
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
	begin := time.Now()
	if err = server.Close(); err != nil || time.Since(begin) > conntest.Patience/2 {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	wg.Wait()
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
	if took := time.Since(begin); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer gets %v", err)
	}
}

func TestCloseEndsWhoeverWaits(t *testing.T) {
	t.Parallel()
	client, _ := pair(t, Config{Linger: 50 * time.Millisecond})
	errs := make(chan error, 2)
	begun := make(chan struct{}, 2)
	go func() {
		begun <- struct{}{}
		_, err := client.Read(make([]byte, 1))
		errs <- err
	}()
	go func() {
		begun <- struct{}{}
		_, err := client.Write(make([]byte, 64<<20)) // which nobody reads
		errs <- err
	}()
	<-begun
	<-begun
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
	if err := client.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline after Close: %v", err)
	}
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

// cut is a packet connection whose writes go nowhere from some time on.
type cut struct {
	net.PacketConn
	off chan struct{}
}

func (c *cut) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-c.off:
		return len(b), nil
	default:
		return c.PacketConn.WriteTo(b, to)
	}
}

// A socket that is nothing but a packet connection, such as an inherited one, serves too.
func TestPeerThatFallsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	const idle = 2 * time.Second
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc := &cut{udp, make(chan struct{})}
	ln, err := ServeConn(pc, fixed(development), Config{Idle: idle, Linger: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	client := dialTo(t, ln.Addr(), development, Config{Idle: idle, Linger: conntest.Patience})
	conntest.Accept(t, ln)
	// As long as it answers it may say nothing.
	_ = client.SetReadDeadline(time.Now().Add(2 * idle))
	if _, err = client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a peer that lives: %v", err)
	}
	_ = client.SetReadDeadline(time.Time{})
	close(pc.off)
	begin := time.Now()
	_, err = client.Read(make([]byte, 1))
	var gone *quicgo.IdleTimeoutError
	if !errors.As(err, &gone) {
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
