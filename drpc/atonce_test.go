package drpc

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// bodySizes are bodies that the reader decodes itself, with those about its limit and some that it leaves to others.
var bodySizes = []int{0, 1, 300, 1 << 10, maxAtOnce - 4, maxAtOnce, 3 * maxAtOnce, 50 << 10}

// bodyFor is the body of one call, unlike that of any other.
func bodyFor(caller, call, size int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d.%d;", caller, call), size/4+1)[:size]
}

func TestBodiesOfManyCallersStayApart(t *testing.T) {
	t.Parallel()
	for name, plugins := range map[string][]Plugin{"no hooks": nil, "hooks": {&seeing{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"}, plugins...)
			HandleCall(srv, "/echo", func(c CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *Status) {
				if c.ServiceMethod() != "/echo" {
					return nil, NewStatus(CodeBadMessage, c.ServiceMethod())
				}
				if from := c.PeekMeta("caller"); from != nil && !bytes.HasPrefix(append(arg.Value, '.'), []byte(from.(string)+".")) {
					return nil, NewStatus(CodeBadMessage, "the meta of another one")
				}
				return arg, nil
			})
			sess := dial(t, newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"}, plugins...), serve(t, srv))
			var wg sync.WaitGroup
			for caller := range 12 {
				wg.Go(func() {
					for call := range 60 {
						size := bodySizes[(caller+call)%len(bodySizes)]
						var settings []message.MsgSetting
						if call%3 == 0 && size >= 300 {
							settings = append(settings, WithSetMeta("caller", fmt.Sprint(caller)))
						}
						want, got := bodyFor(caller, call, size), new(wrapperspb.BytesValue)
						if stat := sess.Call("/echo", wrapperspb.Bytes(want), got, settings...).Status(); stat != nil {
							t.Errorf("%d.%d: %v", caller, call, stat)
						} else if !bytes.Equal(got.Value, want) {
							t.Errorf("%d.%d: %d bytes came back as others", caller, call, size)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// seeing is a plugin that looks at every body that comes before it is decoded.
type seeing struct{}

func (*seeing) Name() string { return "seeing" }

func (*seeing) AfterReadCallHeader(c ReadCtx) *Status { return undecoded(c) }

func (*seeing) AfterReadReplyHeader(c ReadCtx) *Status { return undecoded(c) }

func undecoded(c ReadCtx) *Status {
	if body, ok := message.From(c.Input()).Body().(*wrapperspb.BytesValue); ok && len(body.Value) > 0 {
		return NewStatus(CodeInternalServerError, "decoded before the hook")
	}
	return nil
}

// What a worker has not begun yet lies in no buffer that the reader goes on with.
func TestRequestsThatWaitKeepTheirParts(t *testing.T) {
	t.Parallel()
	const calls = 40
	srv := newPeer(t, EndpointConfig{})
	var all sync.WaitGroup // each handler waits for the others, so that all frames were read before one is answered
	all.Add(calls)
	check := func(c UnknownCallCtx) (any, *Status) {
		all.Done()
		all.Wait()
		return c.ServiceMethod() + " " + fmt.Sprint(c.PeekMeta("n")) + " " + string(c.InputBodyBytes()), nil
	}
	srv.SetUnknownCall(check)
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var wg sync.WaitGroup
	for n := range calls {
		wg.Go(func() {
			text, got := strings.Repeat(fmt.Sprint(n), 50+n), ""
			stat := sess.Call(fmt.Sprintf("/unknown/%d", n), text, &got, WithSetMeta("n", fmt.Sprint(n))).Status()
			if want := fmt.Sprintf("/unknown/%d %d %q", n, n, text); stat != nil || got != want {
				t.Errorf("got %q, want %q, status %v", got, want, stat)
			}
		})
	}
	wg.Wait()
}

// retarget is a plugin that chooses what bodies of unknown calls are decoded into.
type retarget struct{}

func (retarget) Name() string { return "retarget" }

func (retarget) BeforeReadCallBody(c ReadCtx) *Status {
	c.Input().SetBody(new(wrapperspb.BytesValue))
	return nil
}

func TestUnknownCallWithATargetOfAHookKeepsItsNameAndItsBody(t *testing.T) {
	t.Parallel()
	const calls = 40
	srv := newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"}, retarget{})
	var all sync.WaitGroup
	all.Add(calls)
	srv.SetUnknownCall(func(c UnknownCallCtx) (any, *Status) {
		all.Done()
		all.Wait()
		again := new(wrapperspb.BytesValue)
		if id, err := c.BuildBody(again); err != nil || id != codec.ProtobufId {
			return nil, newStatus(CodeBadMessage, err)
		}
		return wrapperspb.Bytes(append([]byte(c.ServiceMethod()+" "), again.Value...)), nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"}), serve(t, srv))
	var wg sync.WaitGroup
	for n := range calls {
		wg.Go(func() {
			path, body, got := fmt.Sprintf("/unknown/%d", n), bodyFor(n, n, 500), new(wrapperspb.BytesValue)
			stat := sess.Call(path, wrapperspb.Bytes(body), got).Status()
			if want := path + " " + string(body); stat != nil || string(got.Value) != want {
				t.Errorf("%s came as %s, status %v", want, got.Value, stat)
			}
		})
	}
	wg.Wait()
}

func TestReplyThatIsNoMessageIsBadMessageAndSessionLives(t *testing.T) {
	t.Parallel()
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			body := "\xff\xff\xff\xff" // no protobuf
			if m.ServiceMethod() == "/good" {
				body = "\x0a\x02ok"
			}
			p.send(message.TypeReply, m.Seq(), "", codec.ProtobufId, body)
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"}), addr)
	reply := new(wrapperspb.BytesValue)
	wantStatus(t, sess.Call("/bad", nil, reply).Status(), CodeBadMessage, "proto")
	cmd := sess.AsyncCall("/bad", nil, reply, nil)
	<-cmd.Done()
	wantStatus(t, cmd.Status(), CodeBadMessage, "proto")
	cmd = sess.Call("/good", nil, reply)
	if cmd.Status() != nil || string(reply.Value) != "ok" || cmd.InputBodyCodec() != codec.ProtobufId || cmd.CostTime() <= 0 {
		t.Errorf("%v, %q, codec %d, %v", cmd.Status(), reply.Value, cmd.InputBodyCodec(), cmd.CostTime())
	}
}

// bomb is a message that panics when it is looked at.
type bomb struct{ wrapperspb.BytesValue }

func (*bomb) ProtoReflect() protoreflect.Message { panic("boom") }

func TestMessageThatPanicsCostsItsCallAlone(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *Status) { return arg, nil })
	HandleCall(srv, "/bomb", func(CallCtx, *bomb) (*wrapperspb.BytesValue, *Status) { return nil, nil })
	sess := dial(t, newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"}), serve(t, srv))
	for range 3 {
		arg := wrapperspb.Bytes([]byte("x"))
		wantStatus(t, sess.Call("/echo", arg, new(bomb)).Status(), CodeInternalServerError, "boom")
		wantStatus(t, sess.Call("/bomb", arg, nil).Status(), CodeInternalServerError, "boom")
		reply := new(wrapperspb.BytesValue)
		if stat := sess.Call("/echo", arg, reply).Status(); stat != nil || string(reply.Value) != "x" {
			t.Errorf("%v, %q", stat, reply.Value)
		}
	}
}

// calling is a message that does something of its own when it is looked at.
type calling struct {
	wrapperspb.BytesValue
	looked func()
}

func (m *calling) ProtoReflect() protoreflect.Message {
	m.looked()
	return m.BytesValue.ProtoReflect()
}

func TestMessageWithCodeOfItsOwnIsNotDecodedByTheReader(t *testing.T) {
	t.Parallel()
	sess := startEcho(t)
	inner, reply := new(wrapperspb.BytesValue), new(calling)
	reply.looked = sync.OnceFunc(func() { // it needs the reader
		if stat := sess.Call("/echo", wrapperspb.Bytes([]byte("inner")), inner).Status(); stat != nil {
			t.Error(stat)
		}
	})
	cmd := sess.AsyncCall("/echo", wrapperspb.Bytes([]byte("outer")), reply, nil)
	polltest.Receive(t, "the reply", cmd.Done())
	if cmd.Status() != nil || string(reply.Value) != "outer" || string(inner.Value) != "inner" {
		t.Errorf("%v, %q, %q", cmd.Status(), reply.Value, inner.Value)
	}
}

// For the race detector: a call that its context ends is not decoded into any more.
func TestResultBelongsToTheCallerOnceTheCallIsOver(t *testing.T) {
	t.Parallel()
	sess := startEcho(t)
	want := bodyFor(1, 1, 1<<10)
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				reply := new(wrapperspb.BytesValue)
				go func() {
					for range n % 8 {
						runtime.Gosched()
					}
					cancel()
				}()
				var cmd CallCmd
				if caller%2 == 0 {
					cmd = sess.Call("/echo", wrapperspb.Bytes(want), reply, WithContext(ctx))
				} else {
					cmd = sess.AsyncCall("/echo", wrapperspb.Bytes(want), reply, nil, WithContext(ctx))
					<-cmd.Done()
				}
				if cmd.Status() == nil && !bytes.Equal(reply.Value, want) || cmd.Status() != nil && reply.Value != nil {
					t.Errorf("status %v, %d bytes", cmd.Status(), len(reply.Value))
				}
				reply.Value = []byte("the caller's")
			}
		})
	}
	wg.Wait()
}
