//go:build unix

package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// plainPair is both ends of a connection of a network.
func plainPair(t *testing.T, network, addr string) (net.Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	a, err := net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// cut makes many buffers of b, more than one system call takes, and a large one.
func cut(b []byte) (bufs net.Buffers) {
	for range 1500 {
		n := min(len(b), 1000)
		if n == 0 {
			return bufs
		}
		bufs, b = append(bufs, b[:n]), b[n:]
	}
	if len(b) > 0 {
		bufs = append(bufs, b)
	}
	return bufs
}

func TestRawWriterTakesWhatTheKernelTakesAndNeverWaits(t *testing.T) {
	t.Parallel()
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			a, b := plainPair(t, network, addr)
			w := newRawWriter(a)
			if w == nil {
				t.Fatal("no writer for a plain socket")
			}
			data := make([]byte, 32<<20)
			for i := range data {
				data[i] = byte(i>>8 ^ i)
			}
			sent := 0
			for {
				n, err := w.write(cut(data[sent:]))
				if err != nil || n < 0 {
					t.Fatalf("%d, %v", n, err)
				}
				if sent += n; n == 0 {
					break
				}
			}
			if sent == 0 || sent == len(data) {
				t.Fatalf("%d bytes of %d taken without a reader", sent, len(data))
			}
			got := make([]byte, len(data))
			done := make(chan error, 1)
			go func() { _, err := io.ReadFull(b, got); done <- err }()
			for deadline := time.Now().Add(20 * time.Second); sent < len(data); {
				n, err := w.write(cut(data[sent:]))
				if err != nil || time.Now().After(deadline) {
					t.Fatalf("%d bytes of %d: %v", sent, len(data), err)
				}
				sent += n
			}
			if err := <-done; err != nil || !bytes.Equal(got, data) {
				t.Errorf("what arrived is not what was written: %v", err)
			}
		})
	}
}

func TestRawWriterReportsWhatEndsTheConnection(t *testing.T) {
	t.Parallel()
	a, b := plainPair(t, "tcp", "127.0.0.1:0")
	w := newRawWriter(a)
	if err := a.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.write(net.Buffers{[]byte("x")}); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	if err := a.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.write(net.Buffers{[]byte("x")}); n != 1 || err != nil {
		t.Errorf("without a deadline again: %d, %v", n, err)
	}
	_ = b.(*net.TCPConn).SetLinger(0)
	_ = b.Close()
	var err error
	for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); {
		_, err = w.write(net.Buffers{[]byte("x")})
	}
	if err == nil {
		t.Error("a connection that was reset takes all")
	}
	_ = a.Close()
	if n, err := w.write(net.Buffers{[]byte("x")}); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %d, %v", n, err)
	}
}

func TestRawWriterIsOnlyForPlainSockets(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if newRawWriter(a) != nil {
		t.Error("a writer for a pipe")
	}
	c, _ := plainPair(t, "tcp", "127.0.0.1:0")
	if newRawWriter(struct{ net.Conn }{c}) != nil {
		t.Error("a writer past what wraps a socket")
	}
}
