package socket_test

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// talker is a protocol of lines that answers some of them itself: "ask" with "answer", and "bye" with nothing more. A
// message with the body "held" is kept back.
type talker struct {
	rw     proto.IOWithReadBuffer
	mu     sync.Mutex
	queued []string
}

var (
	_ proto.Framer    = (*talker)(nil)
	_ proto.Sequencer = (*talker)(nil)
)

func (*talker) Version() (byte, string)    { return 'k', "talker" }
func (*talker) Pack(proto.Message) error   { return nil }
func (*talker) Unpack(proto.Message) error { return io.EOF }

func (*talker) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	body, err := m.MarshalBody()
	if err != nil || string(body) == "held" {
		return dst, err
	}
	return append(append(dst, body...), '\n'), nil
}

func (*talker) FrameLen(head []byte, seen int) (int, error) {
	if i := bytes.IndexByte(head[seen:], '\n'); i >= 0 {
		return seen + i + 1, nil
	}
	return 0, nil
}

func (p *talker) ParseFrame(frame []byte, m *message.Msg) error {
	switch text := string(bytes.TrimSpace(frame)); text {
	case "":
		return fmt.Errorf("empty: %w", proto.ErrNoMessage)
	case "ask":
		if limit := p.rw.(proto.SizeLimiter).SizeLimit(); limit != 1000 {
			return fmt.Errorf("the limit is %d", limit)
		}
		if _, err := io.WriteString(p.rw, "answer\n"); err != nil {
			return err
		}
		return proto.ErrNoMessage
	case "bye":
		if err := p.rw.(proto.WriteCloser).CloseWrite(); err != nil {
			return err
		}
		return proto.ErrNoMessage
	}
	return m.UnmarshalBody(frame[:len(frame)-1])
}

func (p *talker) Queued(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queued = append(p.queued, string(frame))
}

func TestAProtocolMayAnswerByItself(t *testing.T) {
	t.Parallel()
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t)
			var p *talker
			s := socket.New(b, socket.Options{SizeLimit: 1000}, func(rw proto.IOWithReadBuffer) proto.Proto {
				p = &talker{rw: rw}
				return p
			})
			t.Cleanup(func() { _ = s.Close() })
			_ = a.SetDeadline(time.Now().Add(20 * time.Second))
			written := async(func() error { _, err := io.WriteString(a, "\nask\nfirst\nask\n\nsecond\nbye\n"); return err })
			said := make(chan string, 1)
			go func() {
				text, _ := io.ReadAll(a)
				said <- string(text)
			}()
			for _, want := range []string{"first", "second"} {
				if _, body, err := read(s); err != nil || string(body) != want {
					t.Fatalf("%q (%v), want %q", body, err, want)
				}
			}
			if err := polltest.Receive(t, "all written", written); err != nil {
				t.Fatal(err)
			}
			for i, text := range []string{"one", "held", "two"} {
				if err := send(t.Context(), s, call(int32(i), "", []byte(text)), true); err != nil {
					t.Fatal(err)
				}
			}
			over := async(func() error { _, _, err := read(s); return err }) // reads "bye"
			if got := polltest.Receive(t, "the end", said); got != "answer\nanswer\none\ntwo\n" {
				t.Errorf("the peer got %q", got)
			}
			_ = a.Close()
			if err := polltest.Receive(t, "the end of reading", over); err == nil {
				t.Error("a message after the end")
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if fmt.Sprintf("%q", p.queued) != `["answer\n" "answer\n" "one\n" "two\n"]` {
				t.Errorf("told of %q", p.queued)
			}
		})
	}
}

// TestTheOrderThatAProtocolIsToldIsThatOfTheStream lets many send at once.
func TestTheOrderThatAProtocolIsToldIsThatOfTheStream(t *testing.T) {
	t.Parallel()
	a, b := tcpPair(t)
	var p *talker
	s := socket.New(b, socket.Options{}, func(rw proto.IOWithReadBuffer) proto.Proto {
		p = &talker{rw: rw}
		return p
	})
	const senders, each = 8, 200
	got := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(a)
		got <- text
	}()
	var wg sync.WaitGroup
	for w := range senders {
		wg.Go(func() {
			for i := range each {
				if err := send(t.Context(), s, call(0, "", fmt.Appendf(nil, "%d/%d", w, i)), i%7 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	drained(t, s)
	_ = s.Close()
	text := polltest.Receive(t, "the end", got)
	p.mu.Lock()
	defer p.mu.Unlock()
	at := 0
	for _, frame := range p.queued {
		if !bytes.HasPrefix(text[at:], []byte(frame)) {
			t.Fatalf("told of %q where the stream has %.20q", frame, text[at:])
		}
		at += len(frame)
	}
	if at != len(text) || len(p.queued) != senders*each {
		t.Errorf("told of %d frames with %d bytes of %d", len(p.queued), at, len(text))
	}
}
