package conntest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// CloseDelivers has client write and close, and fails unless server reads all of that and then the end. After that
// atTheEnd may look at server, which is closed last, and at once: have both linger for Patience.
func CloseDelivers(t testing.TB, client, server net.Conn, atTheEnd func()) {
	t.Helper()
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
	if atTheEnd != nil {
		atTheEnd()
	}
	ClosesAtOnce(t, server)
	wg.Wait()
}

// ClosesAtOnce fails unless conn closes in less than half of Patience, for which it would linger.
func ClosesAtOnce(t testing.TB, conn net.Conn) {
	t.Helper()
	begin := time.Now()
	if err := conn.Close(); err != nil || time.Since(begin) > Patience/2 {
		t.Errorf("closing: %v after %v", err, time.Since(begin))
	}
}

// CloseEndsWaiters fails unless Close ends a Read for which nothing comes and a Write that nobody reads, once ready says
// that they wait, and whatever is done later.
func CloseEndsWaiters(t testing.TB, conn net.Conn, ready func() bool) {
	t.Helper()
	errs, begun := make(chan error, 2), make(chan struct{}, 2)
	for _, op := range []func() (int, error){
		func() (int, error) { return conn.Read(make([]byte, 1)) },
		func() (int, error) { return conn.Write(make([]byte, 64<<20)) },
	} {
		go func() {
			begun <- struct{}{}
			_, err := op()
			errs <- err
		}()
	}
	<-begun
	<-begun
	polltest.Until(t, "both wait", ready)
	_ = conn.Close()
	for range 2 {
		select {
		case err := <-errs:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
		case <-time.After(Patience):
			t.Fatal("it waits for ever")
		}
	}
	if err := conn.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := conn.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline after Close: %v", err)
	}
}

// Lossy is a packet connection whose writes go nowhere once Cut is closed.
type Lossy struct {
	net.PacketConn
	Cut chan struct{}
}

// NewLossy returns a UDP socket of the loopback interface that can be cut.
func NewLossy(t testing.TB) *Lossy { return &Lossy{PacketConn(t), make(chan struct{})} }

// WriteTo writes, or only says so.
func (l *Lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-l.Cut:
		return len(b), nil
	default:
		return l.PacketConn.WriteTo(b, to)
	}
}

// SilenceIsNoticed cuts the peer of client off, which is given up after idle, and returns what a Read gets then. Until it
// is cut off the peer may say nothing for as long as it answers.
func SilenceIsNoticed(t testing.TB, client net.Conn, peer *Lossy, idle time.Duration) error {
	t.Helper()
	_ = client.SetReadDeadline(time.Now().Add(2 * idle))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a peer that lives: %v", err)
	}
	_ = client.SetReadDeadline(time.Time{})
	close(peer.Cut)
	begin := time.Now()
	_, err := client.Read(make([]byte, 1))
	if took := time.Since(begin); took > Patience/2 {
		t.Errorf("noticed after %v", took)
	}
	ClosesAtOnce(t, client)
	return err
}
