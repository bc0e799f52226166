package socket_test

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// begun returns a connection with this frame timeout, and the peer that writes to it.
func begun(t *testing.T, timeout time.Duration) (*socket.Conn, net.Conn) {
	near, far := net.Pipe()
	s := socket.New(near, socket.Options{FrameTimeout: timeout, SizeLimit: 64 << 20})
	t.Cleanup(func() { _, _ = s.Close(), far.Close() })
	return s, far
}

// wholeFrame is a whole frame with a body of size bytes.
func wholeFrame(t *testing.T, size int) []byte {
	t.Helper()
	a, b := net.Pipe()
	s := socket.New(a, socket.Options{SizeLimit: 64 << 20})
	defer func() { _, _ = s.Close(), b.Close() }()
	frame, err := s.Encode(message.From(call(1, "/x", make([]byte, size))))
	if err != nil {
		t.Fatal(err)
	}
	return frame.B
}

func TestFrameHasItsTimeoutForEachMebibyte(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		size  int
		rate  int // bytes a second
		whole bool
	}{
		"small and quick":     {100, 1000, true},
		"small and slow":      {100, 2, false},
		"large and quick":     {5 << 20, 1 << 20, true},
		"large, slow for one": {5 << 20, 130 << 10, true},
		"large and slow":      {5 << 20, 80 << 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				frame := wholeFrame(t, tt.size)
				s, peer := begun(t, 10*time.Second)
				sent := async(func() error {
					for rest := frame; len(rest) > 0; time.Sleep(time.Second) {
						n := min(tt.rate, len(rest))
						if _, err := peer.Write(rest[:n]); err != nil {
							return err
						}
						rest = rest[n:]
					}
					return nil
				})
				start := time.Now()
				_, _, err := read(s)
				took := time.Since(start)
				if tt.whole && err != nil {
					t.Errorf("%v after %v", err, took)
				}
				if want := 10 * time.Second * time.Duration(tt.size>>20+1); !tt.whole && (!errors.Is(err, socket.ErrSlowFrame) || took < want-time.Second || took > want+time.Second) {
					t.Errorf("%v after %v, want it after %v", err, took, want)
				}
				_ = peer.Close()
				<-sent
			})
		})
	}
}

// The pauses between frames are nobody's business, however the frames before came.
func TestPauseBetweenFramesIsNotTimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		frame := wholeFrame(t, 100)
		s, peer := begun(t, 10*time.Second)
		sent := async(func() error {
			for range 20 {
				_, _ = peer.Write(frame[:50])
				time.Sleep(6 * time.Second)
				// The rest, and the beginning of a frame that is finished in time.
				_, _ = peer.Write(append(append([]byte(nil), frame[50:]...), frame[:10]...))
				time.Sleep(6 * time.Second)
				_, _ = peer.Write(frame[10:])
				time.Sleep(time.Hour)
			}
			return nil
		})
		for range 40 {
			if _, _, err := read(s); err != nil {
				t.Fatal(err)
			}
		}
		<-sent
	})
}

func TestAbortSaysWhy(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	s, _ := begun(t, time.Second)
	got := async(func() error { _, _, err := read(s); return err })
	s.Abort(why)
	s.Abort(errors.New("too late"))
	if err := polltest.Receive(t, "the reader", got); err != why {
		t.Errorf("the reader gets %v", err)
	}
	if err := s.WriteMessage(call(1, "/x", nil)); !errors.Is(err, why) || !errors.Is(err, socket.ErrNotSent) {
		t.Errorf("a sender gets %v", err)
	}
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	s.Reset(near) // by a hook that does not know yet
	if _, err := far.Write([]byte("x")); err == nil {
		t.Error("the connection put in place is left open")
	}
}
