package socket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// tape is a connection that keeps what is written, write by write.
type tape struct {
	net.Conn
	mu     sync.Mutex
	writes [][]byte
}

func newTape(t testing.TB) *tape {
	c, _ := pipePair(t)
	return &tape{Conn: c}
}

func (c *tape) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, bytes.Clone(b))
	return len(b), nil
}

// sizes returns the size of each write since the last call.
func (c *tape) sizes() (sizes []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.writes {
		sizes = append(sizes, len(b))
	}
	c.writes = nil
	return sizes
}

// later collects what is to run on other goroutines, which is when the test says so.
type later struct{ fs []func() }

func (l *later) start(f func()) { l.fs = append(l.fs, f) }

// run runs what was collected and reports how much it was.
func (l *later) run() int {
	fs := l.fs
	l.fs = nil
	for _, f := range fs {
		f()
	}
	return len(fs)
}

// post queues a small frame without waiting for it.
func post(t testing.TB, s *socket.Conn, body string) (size int) {
	t.Helper()
	m := call(1, "/m", []byte(body))
	if err := send(context.Background(), s, m, false); err != nil {
		t.Fatal(err)
	}
	return len(frameOf(t, m))
}

func wantWrites(t testing.TB, c *tape, when string, want ...int) {
	t.Helper()
	if got := c.sizes(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: writes of %v bytes, want %v", when, got, want)
	}
}

func TestFramesWaitForThoseWhoAreComing(t *testing.T) {
	t.Parallel()
	c, after := newTape(t), new(later)
	s := socket.New(c, socket.Options{Go: after.start})
	size := post(t, s, "alone")
	wantWrites(t, c, "nobody is coming", size)
	for range 3 {
		s.Expect()
	}
	size = 0
	for range 3 {
		wantWrites(t, c, "somebody is coming")
		s.Arrive()
		size += post(t, s, "frame of the one who came")
	}
	wantWrites(t, c, "the last one sends too")
	if n := after.run(); n != 1 {
		t.Errorf("%d goroutines were started for one write", n)
	}
	wantWrites(t, c, "all have come", size)
	wantWrites(t, c, "nobody is coming again")
	size = post(t, s, "alone")
	wantWrites(t, c, "nobody is coming again", size)
	s.Expect()
	s.Arrive()
	if after.run() != 0 || socket.Coming(s) != 0 || socket.Waiting(s) != 0 {
		t.Error("one who came and found nothing has started a goroutine, or is still counted")
	}
}

func TestSenderThatWaitsLeavesWithTheOthers(t *testing.T) {
	t.Parallel()
	c, after := newTape(t), new(later)
	s := socket.New(c, socket.Options{Go: after.start})
	s.Expect()
	size := post(t, s, "held")
	m := call(2, "/m", []byte("waits"))
	size += len(frameOf(t, m))
	sent := async(func() error { return s.WriteMessage(m) })
	polltest.Until(t, "both frames wait", func() bool { return socket.Waiting(s) == size })
	wantWrites(t, c, "somebody is coming")
	s.Arrive()
	if n := after.run(); n != 1 {
		t.Errorf("%d goroutines were started for one write", n)
	}
	if err := polltest.Receive(t, "outcome", sent); err != nil {
		t.Error(err)
	}
	wantWrites(t, c, "all have come", size)
}

// A protocol answers by itself from the goroutine that reads, which others may be waiting for.
func TestReaderThatWritesKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	c := newTape(t)
	var s *socket.Conn
	var arrived sync.Once
	s = socket.New(c, socket.Options{BeforeWait: func() { arrived.Do(func() { s.Arrive() }) }})
	s.Expect() // the reader itself
	sent := async(func() error {
		_, err := s.Write([]byte("answer"))
		return err
	})
	if err := polltest.Receive(t, "outcome", sent); err != nil {
		t.Error(err)
	}
}

func TestEnoughFramesLeaveWithoutThoseWhoAreComing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body, outbox, want int
	}{
		"many":          {1, 0, socket.MaxHeld},
		"large":         {socket.MaxHeldBytes / 4, 0, 4},
		"half a limit":  {400, 1000, 2},
		"a tiny outbox": {10, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, after := newTape(t), new(later)
			s := socket.New(c, socket.Options{Go: after.start, OutboxSize: tt.outbox})
			s.Expect()
			for n := 1; ; n++ {
				post(t, s, string(make([]byte, tt.body)))
				left := len(c.sizes()) > 0
				if left != (n >= tt.want) {
					t.Fatalf("left %v with %d frames, want %d", left, n, tt.want)
				}
				if left {
					break
				}
			}
		})
	}
}

func TestFramesDoNotWaitForAMomentWithoutAnybodyComing(t *testing.T) {
	t.Parallel()
	c, after := newTape(t), new(later)
	s := socket.New(c, socket.Options{Go: after.start})
	s.Expect()
	size := post(t, s, "held")
	passed := 0
	for ; after.run() == 0; passed++ { // there is always one more, who never has anything to send
		if passed > socket.MaxPassed {
			t.Fatalf("held while %d came and went", passed)
		}
		s.Expect()
		s.Arrive()
	}
	wantWrites(t, c, "so many have passed", size)
}

func TestNoSizeOfTheOutboxMakesSendersWaitForThemselves(t *testing.T) {
	t.Parallel()
	for limit := 1; limit < 400; limit += 7 {
		for _, sizes := range [][]int{{1, 150}, {60, 100}, {10, 10, 100, 10, 300}} {
			c := newTape(t)
			s := socket.New(c, socket.Options{OutboxSize: limit})
			s.Expect() // and the one who is coming is the one who sends
			done := async(func() error {
				for _, size := range sizes {
					if err := send(t.Context(), s, call(1, "/m", make([]byte, size)), false); err != nil {
						return err
					}
				}
				s.Arrive()
				return s.Drain(t.Context())
			})
			if err := polltest.Receive(t, fmt.Sprintf("frames of %v bytes through an outbox of %d", sizes, limit), done); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDrainWaitsForNobody(t *testing.T) {
	t.Parallel()
	c := newTape(t)
	s := socket.New(c, socket.Options{})
	s.Expect()
	size := post(t, s, "held")
	drained(t, s)
	wantWrites(t, c, "drained", size)
}

func TestAnnouncementsOutliveAReset(t *testing.T) {
	t.Parallel()
	c, d, after := newTape(t), newTape(t), new(later)
	s := socket.New(c, socket.Options{Go: after.start})
	s.Expect()
	s.Reset(d)
	s.Arrive()
	if n := socket.Coming(s); n != 0 {
		t.Fatalf("%d are coming, which nobody will ever even out", n)
	}
	s.Expect()
	size := post(t, s, "held")
	wantWrites(t, d, "somebody is coming")
	s.Arrive()
	after.run()
	wantWrites(t, d, "all have come", size)
}

func TestSenderGoesHomeAfterSomeRounds(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	other := make(chan func(), 1)
	s := socket.New(g, socket.Options{Go: func(f func()) { other <- f }})
	done := async(func() error { return send(context.Background(), s, call(1, "/m", nil), false) })
	for range socket.MaxRounds {
		polltest.Receive(t, "write", g.writes)
		post(t, s, "one more")
		g.result <- nil
	}
	if err := polltest.Receive(t, "the sender goes home", done); err != nil {
		t.Error(err)
	}
	post(t, s, "and one more")
	f := polltest.Receive(t, "somebody else goes on", other)
	go f()
	polltest.Receive(t, "write of the rest", g.writes)
	g.result <- nil
	drained(t, s)
}

// numbered is the body of frame n of a sender: its number, and then what follows from it.
func numbered(sender, n, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(sender))
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	for i := len(b); i < size; i++ {
		b = append(b, byte(i*7+n*13+sender*31))
	}
	return b
}

// ledger checks what arrives: intact, each frame once, those of a sender in order.
type ledger struct {
	mu   sync.Mutex
	last map[int]int
	got  map[[2]int]bool
}

func newLedger() *ledger { return &ledger{last: map[int]int{}, got: map[[2]int]bool{}} }

func (l *ledger) enter(body []byte) error {
	if len(body) < 8 {
		return fmt.Errorf("body of %d bytes", len(body))
	}
	sender, n := int(binary.BigEndian.Uint32(body)), int(binary.BigEndian.Uint32(body[4:]))
	if !bytes.Equal(body, numbered(sender, n, len(body))) {
		return fmt.Errorf("frame %d of sender %d is not what was sent", n, sender)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.last[sender]; ok && n <= last {
		return fmt.Errorf("frame %d of sender %d comes after %d", n, sender, last)
	}
	l.last[sender] = n
	l.got[[2]int{sender, n}] = true
	return nil
}

func (l *ledger) has(sender, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got[[2]int{sender, n}]
}

// readAll reads until the connection ends and enters every frame.
func (l *ledger) readAll(s *socket.Conn) error {
	for {
		_, body, err := read(s)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
			return nil
		}
		if err == nil {
			err = l.enter(body)
		}
		if err != nil {
			return err
		}
	}
}

func unixPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Skipf("no unix sockets: %v", err)
	}
	return pairOf(t, ln)
}

// narrowPair is a connection that takes little at once.
func narrowPair(t testing.TB) (net.Conn, net.Conn) {
	a, b := tcpPair(t)
	if err := a.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func tlsPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	// The certificate is of no interest here, only that records lie between the outbox and the socket.
	return tls.Client(a, &tls.Config{InsecureSkipVerify: true}), tls.Server(b, certtest.New(t).Server("localhost"))
}

func TestEveryFrameArrivesOnceWholeAndInOrder(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){
		"tcp": tcpPair, "narrow": narrowPair, "unix": unixPair, "pipe": pipePair, "tls": tlsPair,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d := pair(t)
			a := socket.New(c, socket.Options{OutboxSize: 256 << 10, WriteTimeout: time.Minute})
			b := socket.New(d, socket.Options{})
			book := newLedger()
			reader := async(func() error { return book.readAll(b) })
			const senders, frames = 12, 120
			var wg sync.WaitGroup
			for sender := range senders {
				wg.Go(func() {
					rnd := mrand.New(mrand.NewPCG(uint64(sender), 1))
					for n := range frames {
						size := 8 + rnd.IntN(300)
						switch rnd.IntN(60) {
						case 0:
							size = 100 << 10
						case 1:
							size = 9 << 10
						case 2:
							if n%40 == 0 {
								size = 1<<20 + 1<<19
							}
						}
						if rnd.IntN(2) == 0 {
							a.Expect()
							a.Arrive()
						}
						ctx, cancel := context.Background(), func() {}
						if rnd.IntN(2) == 0 {
							ctx, cancel = context.WithTimeout(ctx, time.Minute)
						}
						if err := send(ctx, a, call(int32(n), "/m", numbered(sender, n, size)), rnd.IntN(3) == 0); err != nil {
							t.Errorf("frame %d of sender %d: %v", n, sender, err)
						}
						cancel()
					}
				})
			}
			wg.Wait()
			drained(t, a)
			if n := socket.Coming(a); n != 0 {
				t.Errorf("%d are still coming", n)
			}
			_ = a.Close()
			if err := polltest.Receive(t, "end of the reader", reader); err != nil {
				t.Error(err)
			}
			if len(book.got) != senders*frames {
				t.Errorf("%d frames of %d arrived", len(book.got), senders*frames)
			}
		})
	}
}

func TestBoundedSendersReturnInTimeAndTearNothing(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){
		"tcp": tcpPair, "narrow": narrowPair, "unix": unixPair, "pipe": pipePair,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d := pair(t)
			a, b := socket.New(c, socket.Options{OutboxSize: 8 << 20}), socket.New(d, socket.Options{})
			book := newLedger()
			const senders, frames = 8, 40
			var sent [senders][frames]atomic.Bool // those that were reported as queued or written
			var wg sync.WaitGroup
			var slowest atomic.Int64
			for sender := range senders {
				wg.Go(func() {
					for n := range frames {
						ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
						start := time.Now()
						err := send(ctx, a, call(int32(n), "/m", numbered(sender, n, 8+n*3000)), (n+sender)%2 == 0)
						cancel()
						slowest.Store(max(slowest.Load(), int64(time.Since(start))))
						sent[sender][n].Store(err == nil)
						if err != nil && !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("frame %d of sender %d: %v", n, sender, err)
						}
					}
				})
			}
			done := async(func() error { wg.Wait(); return nil })
			polltest.Receive(t, "end of the senders, to whom nobody listens", done)
			if d := time.Duration(slowest.Load()); d > 10*time.Second {
				t.Errorf("a sender with 5 ms waited for %v", d)
			}
			reader := async(func() error { return book.readAll(b) })
			drained(t, a)
			_ = a.Close()
			if err := polltest.Receive(t, "end of the reader", reader); err != nil {
				t.Error(err)
			}
			for sender := range senders {
				for n := range frames {
					if sent[sender][n].Load() && !book.has(sender, n) {
						t.Errorf("frame %d of sender %d was lost", n, sender)
					}
				}
			}
		})
	}
}

// stuck is a connection of which a bounded sender has written the beginning of a frame, and whose other end nobody
// reads. What goes on with the frame is left to run.
func stuck(t testing.TB, opts socket.Options) (a *socket.Conn, peer net.Conn, rest func(), outcome <-chan error) {
	t.Helper()
	c, d := narrowPair(t)
	other := make(chan func(), 1)
	opts.Go = func(f func()) { other <- f }
	a = socket.New(c, opts)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	outcome = async(func() error { return send(ctx, a, call(1, "/m", numbered(1, 1, 3<<20)), true) })
	rest = polltest.Receive(t, "the sender leaves the rest to others", other)
	return a, d, rest, outcome
}

func TestFrameGoesOnWhereABoundedSenderStopped(t *testing.T) {
	t.Parallel()
	a, d, rest, outcome := stuck(t, socket.Options{})
	second := async(func() error { return a.WriteMessage(call(2, "/m", numbered(1, 2, 1000))) })
	book := newLedger()
	reader := async(func() error { return book.readAll(socket.New(d, socket.Options{})) })
	rest()
	for _, done := range []<-chan error{outcome, second} {
		if err := polltest.Receive(t, "outcome", done); err != nil {
			t.Error(err)
		}
	}
	_ = a.Close()
	if err := polltest.Receive(t, "end of the reader", reader); err != nil || len(book.got) != 2 {
		t.Errorf("%v, %d frames", err, len(book.got))
	}
}

func TestFrameThatIsHalfWrittenEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(a *socket.Conn, d net.Conn){
		"closed here":       func(a *socket.Conn, _ net.Conn) { _ = a.Close() },
		"closed by peer":    func(_ *socket.Conn, d net.Conn) { _ = d.Close() },
		"no more is sent":   func(a *socket.Conn, _ net.Conn) { a.EndSending() },
		"the peer is stuck": func(*socket.Conn, net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan error, 5)
			a, d, rest, outcome := stuck(t, socket.Options{
				WriteTimeout: 200 * time.Millisecond, OnWriteError: func(err error) { told <- err },
			})
			queued := newWaiting(t.Context())
			second := async(func() error { return send(queued, a, call(2, "/m", nil), true) })
			polltest.Receive(t, "second queued", queued.on)
			end(a, d)
			rest()
			if err := polltest.Receive(t, "outcome of the first", outcome); err == nil || errors.Is(err, socket.ErrNotSent) {
				t.Errorf("first: %v, some of it was written", err)
			}
			if err := polltest.Receive(t, "outcome of the second", second); !errors.Is(err, socket.ErrNotSent) {
				t.Errorf("second: %v, nothing of it was written", err)
			}
			if err := a.Drain(t.Context()); err == nil {
				t.Error("drained what was not written")
			}
			if n := socket.Waiting(a); n != 0 {
				t.Errorf("%d bytes are still counted", n)
			}
			if len(told) > 1 {
				t.Error("told twice")
			}
		})
	}
}

func TestWriteErrorOfABoundedSenderIsToldOnce(t *testing.T) {
	t.Parallel()
	c, d := tcpPair(t)
	told := make(chan error, 5)
	a := socket.New(c, socket.Options{OnWriteError: func(err error) { told <- err }})
	_ = d.(*net.TCPConn).SetLinger(0)
	_ = d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var err error
	for err == nil {
		err = send(ctx, a, call(1, "/m", []byte("x")), false)
	}
	if !errors.Is(err, socket.ErrNotSent) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if polltest.Receive(t, "report", told); len(told) != 0 {
		t.Error("told twice")
	}
	if n := socket.Waiting(a); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
}

func TestReaderIsReportedBeforeEveryWait(t *testing.T) {
	t.Parallel()
	for name, pf := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d := tcpPair(t)
			var told atomic.Int32
			a := socket.New(c, socket.Options{}, pf)
			b := socket.New(d, socket.Options{BeforeWait: func() { told.Add(1) }}, pf)
			go func() { _, _, _ = read(b); _, _, _ = read(b) }()
			for n := int32(1); n <= 2; n++ {
				polltest.Until(t, "the reader says that it waits", func() bool { return told.Load() >= n })
				if err := a.WriteMessage(call(n, "/m", []byte("x"))); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// FuzzOutbox sends frames of any sizes through an outbox of any size, with announcements in any order.
func FuzzOutbox(f *testing.F) {
	f.Add(uint16(0), []byte{1, 2, 3, 4, 5, 6, 7})
	f.Add(uint16(100), []byte{0, 0, 4, 10, 4, 200, 1, 1})
	f.Add(uint16(1), bytes.Repeat([]byte{0, 3, 1, 77}, 40))
	f.Add(uint16(40_000), bytes.Repeat([]byte{2, 250, 0, 6, 255, 3, 7, 1}, 10))
	f.Fuzz(func(t *testing.T, limit uint16, script []byte) {
		c := newTape(t)
		s := socket.New(c, socket.Options{OutboxSize: int(limit)})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		sent, coming := 0, 0
		for _, op := range script[:min(len(script), 500)] {
			switch op % 4 {
			case 0:
				s.Expect()
				coming++
				continue
			case 1:
				if coming > 0 {
					s.Arrive()
					coming--
				}
				continue
			}
			wait := op%4 == 3
			for ; wait && coming > 0; coming-- {
				s.Arrive() // who waits for the outcome is not the one that the others wait for
			}
			size := 8 + int(op>>2)*int(op>>2)*5
			if err := send(ctx, s, call(int32(sent), "/m", numbered(0, sent, size)), wait); err != nil {
				t.Fatalf("frame %d of %d bytes: %v", sent, size, err)
			}
			sent++
		}
		for ; coming > 0; coming-- {
			s.Arrive()
		}
		polltest.Until(t, "all is written", func() bool { return socket.Waiting(s) == 0 })
		if n := socket.Coming(s); n != 0 {
			t.Errorf("%d are still coming", n)
		}
		var stream bytes.Buffer
		for _, b := range c.writes {
			stream.Write(b)
		}
		book, fr := newLedger(), rawproto.RawProtoFunc(&stream)
		for range sent {
			var body []byte
			m := call(0, "", nil)
			m.SetBody(&body)
			if err := fr.Unpack(m); err != nil {
				t.Fatal(err)
			}
			if err := book.enter(body); err != nil {
				t.Fatal(err)
			}
		}
		if stream.Len() != 0 {
			t.Errorf("%d bytes too many", stream.Len())
		}
	})
}
