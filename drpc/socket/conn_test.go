package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/race"
)

// bodyOf is the body that sender w sends as its i-th message.
func bodyOf(w, i int) []byte {
	r := rand.New(rand.NewPCG(uint64(w), uint64(i)))
	n := r.IntN(600)
	if r.IntN(20) == 0 {
		n = r.IntN(100 << 10) // now and then one that is not joined with others
	}
	b := make([]byte, n)
	for j := range b {
		b[j] = byte(w + i + j)
	}
	return b
}

func TestConcurrentSendersEachFrameWholeAndOnce(t *testing.T) {
	t.Parallel()
	const senders, each = 16, 100
	everywhere(t, socket.Options{OutboxSize: 256 << 10}, func(t *testing.T, a, b *socket.Conn) {
		var wg sync.WaitGroup
		for w := range senders {
			wg.Go(func() {
				for i := range each {
					m := call(int32(w*each+i), "/m", bodyOf(w, i), message.WithSetMeta("w", fmt.Sprint(w)))
					if err := send(t.Context(), a, m, i%3 == 0); err != nil {
						t.Errorf("sender %d: %v", w, err)
						return
					}
				}
			})
		}
		next := make([]int, senders)
		for range senders * each {
			var m message.Msg
			frame, err := b.Receive(&m)
			if err != nil {
				t.Fatal(err)
			}
			w, i := int(m.Seq())/each, int(m.Seq())%each
			if next[w] != i {
				t.Fatalf("sender %d: message %d, want %d", w, i, next[w])
			}
			next[w]++
			if !bytes.Equal(m.EncodedBody(), bodyOf(w, i)) || m.PeekMeta("w") != fmt.Sprint(w) {
				t.Fatalf("sender %d: message %d came with another's content", w, i)
			}
			bufpool.Put(frame)
		}
		wg.Wait()
		drained(t, a)
		if n := socket.Ahead(b); n != 0 {
			t.Errorf("%d bytes are left", n)
		}
	})
}

func TestMessageOutlivesTheNextOne(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, b *socket.Conn) {
		done := async(func() (err error) {
			for i := range 50 {
				text := fmt.Sprintf("%050d", i)
				err = errors.Join(err, a.WriteMessage(call(int32(i), "/m"+text, []byte(text), message.WithSetMeta("k", text))))
			}
			return err
		})
		var got []message.Message
		for range 50 {
			m, _, err := read(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m)
		}
		for i, m := range got {
			text := fmt.Sprintf("%050d", i)
			if m.ServiceMethod() != "/m"+text || m.Meta().Get("k") != text || string(*m.Body().(*[]byte)) != text {
				t.Errorf("message %d became %v", i, m)
			}
		}
		if err := polltest.Receive(t, "written", done); err != nil {
			t.Error(err)
		}
	})
}

func TestReadMessageDecodesTheBody(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, b *socket.Conn) {
		m := message.NewMessage(message.WithBody([]int{1, 2}), message.WithServiceMethod("/m"))
		m.SetBodyCodec(jsonCodec)
		done := async(func() error { return a.WriteMessage(m) })
		var sum []int
		if err := b.ReadMessage(message.NewMessage(message.WithNewBody(func(message.Header) any { return &sum }))); err != nil {
			t.Fatal(err)
		}
		if err := polltest.Receive(t, "written", done); err != nil || len(sum) != 2 {
			t.Errorf("%v %v", err, sum)
		}
	})
}

// recorder notes how large reads and writes are.
type recorder struct {
	net.Conn
	mu                sync.Mutex
	got, ahead, write int
}

// Read notes by how much the room that it is offered exceeds what has come.
func (r *recorder) Read(b []byte) (int, error) {
	r.mu.Lock()
	r.ahead = max(r.ahead, len(b)-r.got)
	r.mu.Unlock()
	n, err := r.Conn.Read(b)
	r.mu.Lock()
	r.got += n
	r.mu.Unlock()
	return n, err
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.write = max(r.write, len(b))
	r.mu.Unlock()
	return r.Conn.Write(b)
}

func (r *recorder) most() (ahead, write int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ahead, r.write
}

func TestLargeFramesBothWaysInPieces(t *testing.T) {
	t.Parallel()
	size := 64 << 20
	if race.Enabled {
		size /= 8 // the race detector looks at every byte
	}
	c, d := tcpPair(t)
	left, right := &recorder{Conn: c}, &recorder{Conn: d}
	opts := socket.Options{SizeLimit: uint32(size) + 1024}
	a, b := socket.New(left, opts), socket.New(right, opts)
	body := bytes.Repeat([]byte("every byte has its place "), size/25)
	var wg sync.WaitGroup
	for _, s := range []*socket.Conn{a, b} {
		wg.Go(func() {
			if err := s.WriteMessage(call(1, "/large", body)); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			var m message.Msg
			frame, err := s.Receive(&m)
			if err != nil || !bytes.Equal(m.EncodedBody(), body) {
				t.Errorf("%v, %d bytes", err, len(m.EncodedBody()))
			}
			bufpool.Put(frame)
		})
	}
	wg.Wait()
	for _, r := range []*recorder{left, right} {
		if _, write := r.most(); write > 1<<20 {
			t.Errorf("a write of %d bytes: the write deadline would measure size, not progress", write)
		}
	}
}

func TestReaderTakesMemoryInStepWithWhatArrives(t *testing.T) {
	t.Parallel()
	for _, announced := range []int{10 << 10, 100 << 10, 1 << 30} {
		for _, arrives := range []int{4, 5, 100, 9 << 10, 300 << 10} {
			if arrives >= announced {
				continue
			}
			c, d := pipePair(t)
			r := &recorder{Conn: d}
			s := socket.New(r, socket.Options{SizeLimit: 2 << 30})
			done := async(func() error {
				_, err := s.Receive(new(message.Msg))
				return err
			})
			b := make([]byte, arrives)
			b[0], b[1], b[2], b[3] = byte(announced>>24), byte(announced>>16), byte(announced>>8), byte(announced)
			for len(b) > 0 {
				n, err := c.Write(b[:min(len(b), 1000)])
				if err != nil {
					t.Fatal(err)
				}
				b = b[n:]
			}
			_ = c.Close()
			if err := polltest.Receive(t, "end of the frame", done); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d of %d bytes: %v", arrives, announced, err)
			}
			// The first buffer has 64 KiB, or less than twice as much where the pool has a larger one.
			if ahead, _ := r.most(); ahead > 128<<10 {
				t.Errorf("%d of %d bytes: room for %d bytes more than had come", arrives, announced, ahead)
			}
		}
	}
}

func TestFrameAboveTheLimitIsRefusedByItsLength(t *testing.T) {
	t.Parallel()
	c, d := pipePair(t)
	s := socket.New(d, socket.Options{SizeLimit: 1000})
	done := async(func() error {
		_, err := s.Receive(new(message.Msg))
		return err
	})
	if _, err := c.Write([]byte{0, 0, 0x03, 0xe9}); err != nil { // 1001
		t.Fatal(err)
	}
	if err := polltest.Receive(t, "refusal", done); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Error(err)
	}
	if err := s.WriteMessage(call(1, "/m", make([]byte, 1000))); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Errorf("sending: %v", err)
	}
}

func TestReadingMayBeLimitedForAWhile(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{SizeLimit: 4000}, func(t *testing.T, a, b *socket.Conn) {
		b.LimitRead(1000)
		sent := async(func() error { return b.WriteMessage(call(1, "/m", make([]byte, 2000))) })
		if err := a.ReadMessage(message.NewMessage(message.WithBody(new([]byte)))); err != nil {
			t.Errorf("what is sent is limited, too: %v", err)
		}
		if err := polltest.Receive(t, "the message", sent); err != nil {
			t.Error(err)
		}
		for _, limit := range []uint32{0, 1 << 30} {
			b.LimitRead(limit)
			sent = async(func() error { return a.WriteMessage(call(1, "/m", make([]byte, 2000))) })
			if _, err := b.Receive(new(message.Msg)); err != nil {
				t.Errorf("limit %d: %v", limit, err)
			}
			if err := polltest.Receive(t, "the message", sent); err != nil {
				t.Error(err)
			}
		}
		b.LimitRead(1000)
		sent = async(func() error { return a.WriteMessage(call(1, "/m", make([]byte, 2000))) })
		if _, err := b.Receive(new(message.Msg)); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
			t.Errorf("above the limit: %v", err)
		}
		_ = b.Close() // or the rest of the frame, which nobody reads, may hold the writer up
		_ = polltest.Receive(t, "the message", sent)
	})
}

// A protocol without a fast path is held to the limit too.
func TestLongLineOfATextProtocolIsNotSent(t *testing.T) {
	t.Parallel()
	c, _ := pipePair(t)
	s := socket.New(c, socket.Options{SizeLimit: 1000}, newText)
	if err := s.WriteMessage(call(1, "/m", make([]byte, 1000))); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Error(err)
	}
}

func TestReceivedAtMovesWithEveryProtocol(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, b *socket.Conn) {
		for i, size := range []int{10, 200 << 10} {
			before := time.Now()
			done := async(func() error { return a.WriteMessage(call(int32(i), "/m", make([]byte, size))) })
			if _, _, err := read(b); err != nil {
				t.Fatal(err)
			}
			if at := b.ReceivedAt().Std(); at.Before(before) || at.After(time.Now()) {
				t.Errorf("%d bytes: received at %v, sent at %v", size, at, before)
			}
			if err := polltest.Receive(t, "written", done); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCloseWakesTheReader(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, _ *socket.Conn) {
		done := async(func() error {
			_, err := a.Receive(new(message.Msg))
			return err
		})
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := polltest.Receive(t, "end of reading", done); !errors.Is(err, socket.ErrProactivelyCloseSocket) {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if _, _, err := read(a); !errors.Is(err, socket.ErrProactivelyCloseSocket) {
			t.Errorf("reading afterwards: %v", err)
		}
		err := a.WriteMessage(call(1, "/m", nil))
		if !errors.Is(err, socket.ErrProactivelyCloseSocket) || !errors.Is(err, socket.ErrNotSent) {
			t.Errorf("writing afterwards: %v", err)
		}
	})
}

func TestCloseReturnsTheErrorOfTheConnection(t *testing.T) {
	t.Parallel()
	c, _ := tcpPair(t)
	s := socket.New(c, socket.Options{})
	_ = c.Close()
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestPeerThatLeavesIsAnEndOfFile(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, b *socket.Conn) {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Receive(new(message.Msg)); err != io.EOF {
			t.Error(err)
		}
	})
}

// panicky is a protocol with a mistake.
type panicky struct{ socket.Proto }

func (p panicky) Pack(m proto.Message) error {
	if m.Seq() == 13 {
		panic("thirteen")
	}
	return p.Proto.Pack(m)
}

func TestProtocolThatPanicsBlocksNobodyElse(t *testing.T) {
	t.Parallel()
	c, d := pipePair(t)
	a := socket.New(c, socket.Options{}, func(rw proto.IOWithReadBuffer) proto.Proto { return panicky{newText(rw)} })
	b := socket.New(d, socket.Options{}, newText)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic: the test is of no use")
			}
		}()
		_ = a.WriteMessage(call(13, "/m", nil))
	}()
	done := async(func() error { return a.WriteMessage(call(14, "/m", nil)) })
	if m, _, err := read(b); err != nil || m.Seq() != 14 {
		t.Errorf("%v %v", m, err)
	}
	if err := polltest.Receive(t, "written", done); err != nil {
		t.Error(err)
	}
}

func TestProtocolMayWriteOnlyWhileItPacks(t *testing.T) {
	t.Parallel()
	c, _ := pipePair(t)
	var err error
	socket.New(c, socket.Options{}, func(rw proto.IOWithReadBuffer) proto.Proto {
		_, err = rw.Write([]byte("hello"))
		return newText(rw)
	})
	if err == nil {
		t.Error("bytes went between the frames")
	}
}

func TestBytesOutsideOfFramesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	c, d := tcpPair(t)
	a, b := socket.New(c, socket.Options{}), socket.New(d, socket.Options{})
	if err := a.WriteMessage(call(1, "/m", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Write([]byte("between")); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if err := a.WriteMessage(call(2, "/m", []byte("y"))); err != nil {
		t.Fatal(err)
	}
	if m, _, err := read(b); err != nil || m.Seq() != 1 {
		t.Fatal(m, err)
	}
	between := make([]byte, 7)
	if _, err := io.ReadFull(b, between); err != nil || string(between) != "between" {
		t.Fatalf("%q %v", between, err)
	}
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d %v", n, err)
	}
	if m, _, err := read(b); err != nil || m.Seq() != 2 {
		t.Fatal(m, err)
	}
}

// buffered makes b hold everything that was sent to it.
func buffered(t testing.TB, a net.Conn, b *socket.Conn, frames []byte, first int) {
	t.Helper()
	done := async(func() error {
		_, err := a.Write(frames)
		return err
	})
	if _, err := io.ReadFull(b, make([]byte, first)); err != nil {
		t.Fatal(err)
	}
	if err := polltest.Receive(t, "written", done); err != nil {
		t.Fatal(err)
	}
	if socket.Ahead(b) != len(frames)-first {
		t.Fatalf("%d bytes were read ahead, want %d", socket.Ahead(b), len(frames)-first)
	}
}

func frameOf(t testing.TB, m message.Message) []byte {
	t.Helper()
	c, _ := pipePair(t)
	frame, err := socket.New(c, socket.Options{}).Encode(message.From(m))
	if err != nil {
		t.Fatal(err)
	}
	return frame.B
}

func TestResetToAnotherProtocolKeepsWhatWasReadAhead(t *testing.T) {
	t.Parallel()
	c, d := pipePair(t)
	b := socket.New(d, socket.Options{}, newText)
	frame := frameOf(t, call(7, "/m", []byte("body")))
	buffered(t, c, b, append([]byte("hello"), frame...), 5)
	b.Reset(nil, socket.DefaultProtoFunc())
	if m, body, err := read(b); err != nil || m.Seq() != 7 || string(body) != "body" {
		t.Errorf("%v %q %v", m, body, err)
	}
}

// upper is a connection that wraps another, as TLS does.
type upper struct{ net.Conn }

func (u upper) Read(b []byte) (int, error) {
	n, err := u.Conn.Read(b)
	copy(b, bytes.ToUpper(b[:n]))
	return n, err
}

func TestWrappedConnectionKeepsWhatWasReadAhead(t *testing.T) {
	t.Parallel()
	c, d := pipePair(t)
	b := socket.New(d, socket.Options{}, newText)
	buffered(t, c, b, []byte("plainsecret"), 5)
	b.Reset(upper{b.Unread()}, newText)
	got := make([]byte, 3)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "SEC" {
		t.Fatalf("%q %v", got, err)
	}
	go func() { _, _ = c.Write([]byte("more")) }()
	got = make([]byte, 7)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "RETMORE" {
		t.Errorf("%q %v", got, err)
	}
}

func TestUnreadOfNothingIsTheConnection(t *testing.T) {
	t.Parallel()
	c, _ := pipePair(t)
	s := socket.New(c, socket.Options{})
	if s.Unread() != c || s.Raw() != c {
		t.Error("another connection")
	}
}

func TestResetToAnotherConnectionWorksAfterClose(t *testing.T) {
	t.Parallel()
	everywhere(t, socket.Options{}, func(t *testing.T, a, _ *socket.Conn) {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		c, d := tcpPair(t)
		a.Reset(c)
		b := socket.New(d, socket.Options{})
		if err := a.WriteMessage(call(3, "/m", nil)); err != nil {
			t.Fatal(err)
		}
		if m, _, err := read(b); err != nil || m.Seq() != 3 {
			t.Errorf("%v %v", m, err)
		}
	})
}

func TestControlFD(t *testing.T) {
	t.Parallel()
	c, _ := tcpPair(t)
	for name, conn := range map[string]net.Conn{"tcp": c, "wrapped": wrapped{c}} {
		var fd uintptr
		if err := socket.New(conn, socket.Options{}).ControlFD(func(f uintptr) { fd = f }); err != nil || fd == 0 {
			t.Errorf("%s: %d %v", name, fd, err)
		}
	}
	p, _ := pipePair(t)
	err := socket.New(p, socket.Options{}).ControlFD(func(uintptr) { t.Error("called") })
	if err == nil || !strings.Contains(err.Error(), "file descriptor") {
		t.Error(err)
	}
}

// wrapped hides everything but what tls.Conn shows.
type wrapped struct{ inner net.Conn }

func (w wrapped) NetConn() net.Conn                  { return w.inner }
func (w wrapped) Read(b []byte) (int, error)         { return w.inner.Read(b) }
func (w wrapped) Write(b []byte) (int, error)        { return w.inner.Write(b) }
func (w wrapped) Close() error                       { return w.inner.Close() }
func (w wrapped) LocalAddr() net.Addr                { return w.inner.LocalAddr() }
func (w wrapped) RemoteAddr() net.Addr               { return w.inner.RemoteAddr() }
func (w wrapped) SetDeadline(d time.Time) error      { return w.inner.SetDeadline(d) }
func (w wrapped) SetReadDeadline(d time.Time) error  { return w.inner.SetReadDeadline(d) }
func (w wrapped) SetWriteDeadline(d time.Time) error { return w.inner.SetWriteDeadline(d) }

func TestIDAndAddresses(t *testing.T) {
	t.Parallel()
	c, _ := tcpPair(t)
	s := socket.NewSocket(c)
	if s.ID() != c.RemoteAddr().String() || s.LocalAddr() != c.LocalAddr() || s.RemoteAddr() != c.RemoteAddr() {
		t.Errorf("%q %v %v", s.ID(), s.LocalAddr(), s.RemoteAddr())
	}
	s.SetID("me")
	if s.ID() != "me" {
		t.Error(s.ID())
	}
}

func TestSwapIsMadeWhenAsked(t *testing.T) {
	t.Parallel()
	c, _ := pipePair(t)
	s := socket.NewSocket(c)
	if s.SwapLen() != 0 {
		t.Error(s.SwapLen())
	}
	s.Swap().Set("k", "v")
	if s.SwapLen() != 1 || s.Swap().Get("k") != "v" || s.Swap(nil).Get("k") != "v" {
		t.Error("the value is lost")
	}
	mine := gmap.New(true)
	if s.Swap(mine) != mine || s.Swap() != mine || s.SwapLen() != 0 {
		t.Error("another map than the one given")
	}
}

func TestReadDeadlineEndsAReadAndNothingElse(t *testing.T) {
	t.Parallel()
	c, d := tcpPair(t)
	a, b := socket.New(c, socket.Options{}), socket.New(d, socket.Options{})
	if err := b.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, _, err := read(b); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatal(err)
	}
	if err := b.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteMessage(call(1, "/m", nil)); err != nil {
		t.Fatal(err)
	}
	if m, _, err := read(b); err != nil || m.Seq() != 1 {
		t.Errorf("%v %v", m, err)
	}
}

// idleReads is a connection that never gets on.
type idleReads struct{ net.Conn }

func (idleReads) Read([]byte) (int, error) { return 0, nil }

func TestReaderGivesUpOnAConnectionThatReadsNothing(t *testing.T) {
	t.Parallel()
	c, _ := pipePair(t)
	done := async(func() error {
		_, err := socket.New(idleReads{c}, socket.Options{}).Receive(new(message.Msg))
		return err
	})
	if err := polltest.Receive(t, "giving up", done); err == nil {
		t.Error("no error")
	}
}

// Not parallel: the protocol is that of the whole process.
func TestDefaultProtocolIsRawUntilChanged(t *testing.T) {
	name := func() string {
		_, name := socket.DefaultProtoFunc()(nil).Version()
		return name
	}
	t.Cleanup(func() { socket.SetDefaultProtoFunc(nil) })
	if name() != "raw" {
		t.Error(name())
	}
	socket.SetDefaultProtoFunc(newText)
	if name() != "text" {
		t.Error(name())
	}
	socket.SetDefaultProtoFunc(nil)
	if name() != "raw" {
		t.Error(name())
	}
}
