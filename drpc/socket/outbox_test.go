package socket_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

var errCable = errors.New("cable cut")

func TestWaitReportsTheWriteThatCarriedTheFrame(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var told []error
	s := socket.New(g, socket.Options{OnWriteError: func(err error) { told = append(told, err) }})
	first := async(func() error { return send(t.Context(), s, call(1, "/m", []byte("first")), true) })
	polltest.Receive(t, "first write", g.writes)
	queued := newWaiting(t.Context())
	second := async(func() error { return send(queued, s, call(2, "/m", []byte("second")), true) })
	polltest.Receive(t, "second queued", queued.on)
	if err := send(t.Context(), s, call(3, "/m", nil), false); err != nil {
		t.Errorf("without waiting: %v", err)
	}
	g.result <- nil
	if err := polltest.Receive(t, "outcome of the first", first); err != nil {
		t.Errorf("first: %v", err)
	}
	polltest.Receive(t, "second write", g.writes)
	select {
	case err := <-second:
		t.Fatalf("second before it was written: %v", err)
	default:
	}
	queued = newWaiting(t.Context())
	third := async(func() error { return send(queued, s, call(4, "/m", nil), true) })
	polltest.Receive(t, "third queued", queued.on)
	g.result <- errCable
	if err := polltest.Receive(t, "outcome of the second", second); err != errCable {
		t.Errorf("second: %v", err)
	}
	if err := polltest.Receive(t, "outcome of the third", third); !errors.Is(err, errCable) || !errors.Is(err, socket.ErrNotSent) {
		t.Errorf("third, which was not written at all: %v", err)
	}
	for range 2 {
		if err := send(t.Context(), s, call(5, "/m", nil), false); !errors.Is(err, errCable) || !errors.Is(err, socket.ErrNotSent) {
			t.Errorf("afterwards: %v", err)
		}
	}
	if err := s.Drain(t.Context()); err != errCable {
		t.Errorf("drain: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(told) != 1 || told[0] != errCable {
		t.Errorf("told of %v", told)
	}
}

// waiting is a context that tells when a sender waits on it, which is once its frame is queued or has no room. Before that
// it looks once whether there is anything that could end its waiting.
type waiting struct {
	context.Context
	looks atomic.Int32
	on    chan struct{}
}

func newWaiting(ctx context.Context) *waiting { return &waiting{Context: ctx, on: make(chan struct{})} }

func (w *waiting) Done() <-chan struct{} {
	if w.looks.Add(1) == 2 {
		close(w.on)
	}
	return w.Context.Done()
}

func TestFailedFrameIsNotCalledUnsent(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := socket.New(g, socket.Options{})
	done := async(func() error { return send(t.Context(), s, call(1, "/m", nil), true) })
	polltest.Receive(t, "write", g.writes)
	g.result <- errCable
	if err := polltest.Receive(t, "outcome", done); errors.Is(err, socket.ErrNotSent) || !errors.Is(err, errCable) {
		t.Errorf("%v: some of it may have been written", err)
	}
}

// fill makes the outbox of s full: one frame is being written and another one waits.
func fill(t testing.TB, g *gate, s *socket.Conn, size int) {
	t.Helper()
	go func() { _ = send(context.Background(), s, call(1, "/m", make([]byte, size)), false) }()
	polltest.Receive(t, "write", g.writes)
}

func TestFullOutboxBlocksUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := socket.New(g, socket.Options{OutboxSize: 10 << 10})
	fill(t, g, s, 9<<10)
	blocked := newWaiting(t.Context())
	done := async(func() error { return send(blocked, s, call(2, "/m", make([]byte, 5<<10)), false) })
	polltest.Receive(t, "the sender waits", blocked.on)
	if err := send(t.Context(), s, call(3, "/m", nil), false); err != nil {
		t.Errorf("%v: a small frame has room, a large one has none", err)
	}
	select {
	case err := <-done:
		t.Fatalf("queued without room: %v", err)
	default:
	}
	g.result <- nil
	if b := polltest.Receive(t, "write of what had room", g.writes); len(b) > 5<<10 {
		t.Errorf("a write of %d bytes", len(b))
	}
	// Half of the outbox is empty now, although a write goes on.
	if err := polltest.Receive(t, "room", done); err != nil {
		t.Error(err)
	}
	g.result <- nil
	if b := polltest.Receive(t, "write of what waited", g.writes); len(b) < 5<<10 {
		t.Errorf("a write of %d bytes", len(b))
	}
	g.result <- nil
	drained(t, s)
}

func TestFullOutboxBlocksNoLongerThanTheContext(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := socket.New(g, socket.Options{OutboxSize: 10 << 10})
	fill(t, g, s, 10<<10)
	reason := errors.New("no more patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	blocked := newWaiting(ctx)
	done := async(func() error { return send(blocked, s, call(2, "/m", make([]byte, 5<<10)), false) })
	polltest.Receive(t, "the sender waits", blocked.on)
	cancel(reason)
	if err := polltest.Receive(t, "end of the context", done); !errors.Is(err, reason) {
		t.Error(err)
	}
	g.result <- nil
	drained(t, s) // nothing of the frame is left behind
}

func TestContextEndsTheWaitForAWriteThatHangs(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := socket.New(g, socket.Options{})
	reason := errors.New("no more patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := async(func() error { return send(ctx, s, call(1, "/m", nil), true) })
	polltest.Receive(t, "write", g.writes)
	cancel(reason)
	if err := polltest.Receive(t, "end of the context", done); !errors.Is(err, reason) {
		t.Error(err)
	}
	g.result <- nil
	drained(t, s)
}

func TestFrameLargerThanTheOutboxIsSentAlone(t *testing.T) {
	t.Parallel()
	c, d := tcpPair(t)
	a, b := socket.New(c, socket.Options{OutboxSize: 1000}), socket.New(d, socket.Options{})
	done := async(func() error { return a.WriteMessage(call(1, "/m", make([]byte, 100<<10))) })
	if _, body, err := read(b); err != nil || len(body) != 100<<10 {
		t.Errorf("%v, %d bytes", err, len(body))
	}
	if err := polltest.Receive(t, "written", done); err != nil {
		t.Error(err)
	}
}

func TestCloseWakesEverySender(t *testing.T) {
	t.Parallel()
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := pair(t) // whose peer never reads
			s := socket.New(c, socket.Options{OutboxSize: 64 << 10})
			var wg sync.WaitGroup
			var started atomic.Int32
			for i := range 32 {
				wg.Go(func() {
					for {
						started.Add(1)
						err := send(t.Context(), s, call(1, "/m", make([]byte, 32<<10)), i%2 == 0)
						if err == nil {
							continue
						}
						if !errors.Is(err, socket.ErrProactivelyCloseSocket) {
							t.Errorf("sender %d: %v", i, err)
						}
						return
					}
				})
			}
			polltest.Until(t, "all senders are at it", func() bool { return started.Load() >= 32 })
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			done := async(func() error { wg.Wait(); return nil })
			polltest.Receive(t, "end of all senders", done)
		})
	}
}

func TestCloseIsTheReasonOfAWriteThatItInterrupts(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := socket.New(g, socket.Options{OnWriteError: func(err error) { t.Errorf("told of %v, which is no error of the connection", err) }})
	done := async(func() error { return send(t.Context(), s, call(1, "/m", nil), true) })
	polltest.Receive(t, "write", g.writes)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := polltest.Receive(t, "end of the write", done); !errors.Is(err, socket.ErrProactivelyCloseSocket) || errors.Is(err, socket.ErrNotSent) {
		t.Errorf("%v", err)
	}
}

func TestPeerThatDoesNotReadEndsByTheWriteTimeout(t *testing.T) {
	t.Parallel()
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := pair(t)
			const timeout = 100 * time.Millisecond
			told := make(chan error, 2)
			s := socket.New(c, socket.Options{WriteTimeout: timeout, OnWriteError: func(err error) { told <- err }})
			var err error
			last := time.Now()
			for err == nil {
				last = time.Now()
				err = send(t.Context(), s, call(1, "/m", make([]byte, 3<<20)), true)
			}
			if !errors.Is(err, socket.ErrStalled) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v", err)
			}
			if d := time.Since(last); d < timeout {
				t.Errorf("given up after %v", d)
			}
			if got := polltest.Receive(t, "report", told); !errors.Is(got, socket.ErrStalled) {
				t.Errorf("told of %v", got)
			}
			if err = send(t.Context(), s, call(1, "/m", nil), false); !errors.Is(err, socket.ErrNotSent) || !errors.Is(err, socket.ErrStalled) {
				t.Errorf("afterwards: %v", err)
			}
			if len(told) != 0 {
				t.Error("told twice")
			}
		})
	}
}

// slow is a connection whose writes take their time, as little as is allowed, and which notes what it was allowed.
type slow struct {
	net.Conn
	pause    time.Duration
	shortest atomic.Int64
	deadline atomic.Int64
}

func (s *slow) SetWriteDeadline(at time.Time) error {
	s.deadline.Store(at.UnixNano())
	return nil
}

func (s *slow) Write(b []byte) (int, error) {
	left := s.deadline.Load() - time.Now().UnixNano()
	if old := s.shortest.Load(); old == 0 || left < old {
		s.shortest.Store(left)
	}
	time.Sleep(s.pause)
	return len(b), nil
}

func TestEveryWriteHasTheWholeWriteTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 30 * time.Second
		c, _ := net.Pipe()
		conn := &slow{Conn: c, pause: timeout / 20}
		s := socket.New(conn, socket.Options{WriteTimeout: timeout})
		for range 100 {
			if err := send(t.Context(), s, call(1, "/m", nil), true); err != nil {
				t.Fatal(err)
			}
		}
		if left := time.Duration(conn.shortest.Load()); left < timeout {
			t.Errorf("a write had %v", left)
		}
	})
}

// counting is a connection that counts its writes.
type counting struct {
	net.Conn
	writes atomic.Int32
}

func (c *counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestFramesThatWaitLeaveTogether(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := socket.New(g, socket.Options{})
	fill(t, g, s, 1)
	const small = 50
	for range small {
		if err := send(t.Context(), s, call(1, "/m", []byte("small")), false); err != nil {
			t.Fatal(err)
		}
	}
	g.result <- nil
	b := polltest.Receive(t, "second write", g.writes)
	g.result <- nil
	if want := small * len(frameOf(t, call(1, "/m", []byte("small")))); len(b) != want {
		t.Errorf("one write of %d bytes, want all %d", len(b), want)
	}
	drained(t, s)
}

func TestLoneSenderWritesOnceAFrame(t *testing.T) {
	t.Parallel()
	c, d := tcpPair(t)
	conn := &counting{Conn: c}
	a, b := socket.New(conn, socket.Options{}), socket.New(d, socket.Options{})
	for i := range int32(10) {
		if err := a.WriteMessage(call(i, "/m", nil)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := read(b); err != nil {
			t.Fatal(err)
		}
	}
	if n := conn.writes.Load(); n != 10 {
		t.Errorf("%d writes for 10 frames", n)
	}
}

func TestFrameThatCannotBeEncodedIsNotSent(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, b *socket.Conn) {
		bad := call(1, "/m", nil, message.WithBodyCodec("no such codec"))
		if err := a.WriteMessage(bad); err == nil {
			t.Error("sent")
		}
		done := async(func() error { return a.WriteMessage(call(2, "/m", []byte("good"))) })
		if m, body, err := read(b); err != nil || m.Seq() != 2 || string(body) != "good" {
			t.Errorf("%v %q %v", m, body, err)
		}
		if err := polltest.Receive(t, "written", done); err != nil {
			t.Error(err)
		}
	})
}

func TestLargeFrameGetsItsTurnAmongManySmallOnes(t *testing.T) {
	t.Parallel()
	c, d := tcpPair(t)
	a, b := socket.New(c, socket.Options{OutboxSize: 64 << 10}), socket.New(d, socket.Options{})
	end := make(chan struct{})
	var senders, reader sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				if err := send(t.Context(), a, call(1, "/small", make([]byte, 1000)), false); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	large := async(func() error { return send(t.Context(), a, call(2, "/large", make([]byte, 1<<20)), false) })
	came := make(chan struct{})
	reader.Go(func() {
		for {
			m, _, err := read(b)
			if err != nil {
				return
			}
			if m.Seq() == 2 {
				close(came)
			}
		}
	})
	if err := polltest.Receive(t, "room for the large frame", large); err != nil {
		t.Error(err)
	}
	polltest.Receive(t, "the large frame", came)
	close(end)
	senders.Wait()
	_ = a.Close()
	reader.Wait()
}
