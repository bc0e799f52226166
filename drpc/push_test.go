package drpc

import (
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

type inbox struct {
	PushCtx
	Got chan string
}

func (i *inbox) Note(arg *string) *Status {
	i.Got <- *arg + i.PeekMeta("mark").(string) + string(i.GetBodyCodec())
	return NewStatus(1001, "goes nowhere")
}

type Inbox = inbox

func TestPushReachesItsHandlerBothWays(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	got := make(chan string, 1)
	for _, e := range []Endpoint{srv, cli} {
		if names := e.RoutePush(&Inbox{Got: got}); len(names) != 1 || names[0] != "/inbox/note" {
			t.Fatalf("routes %v", names)
		}
	}
	there := dial(t, cli, serve(t, srv))
	for _, sess := range []Session{there, onlySession(t, srv)} {
		if stat := sess.Push("/inbox/note", "text", WithSetMeta("mark", "!"), WithBodyCodec("plain")); stat != nil {
			t.Fatal(stat)
		}
		if s := polltest.Receive(t, "the push", got); s != "text!s" {
			t.Errorf("got %q", s)
		}
	}
}

func TestPushThatFailsThereIsNotAnswered(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandlePush(srv, "/panic", func(PushCtx, *string) *Status { panic("oh no") })
	HandlePush(srv, "/status", func(PushCtx, *string) *Status { return NewStatus(1001, "no") })
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	p := rawDial(t, serve(t, srv))
	for _, push := range []struct{ method, body string }{
		{"/panic", `"x"`}, {"/status", `"x"`}, {"/status", `[1]`}, {"/nowhere", `"x"`}, {"", `"x"`},
	} {
		p.send(message.TypePush, 1, push.method, codec.JsonId, push.body)
	}
	p.send(message.TypeCall, 2, "/echo", codec.JsonId, `"x"`)
	if m := p.next(); m == nil || m.Seq() != 2 || !m.StatusOK() {
		t.Errorf("the first answer is %v", m)
	}
}

func TestCallsAndPushesAreRoutedApart(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	got := make(chan string, 1)
	HandlePush(srv, "/x", func(_ PushCtx, s *string) *Status { got <- *s; return nil })
	HandleCall(srv, "/x", func(_ CallCtx, s *string) (string, *Status) { return "call " + *s, nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var reply string
	if stat := sess.Call("/x", "1", &reply).Status(); stat != nil || reply != "call 1" {
		t.Errorf("%v, %q", stat, reply)
	}
	if stat := sess.Push("/x", "2"); stat != nil || polltest.Receive(t, "the push", got) != "2" {
		t.Error(stat)
	}
}

func TestManyConcurrentPushesArriveOnce(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	const n = 2000
	got := make(chan int, 2*n)
	HandlePush(srv, "/n", func(_ PushCtx, i *int) *Status { got <- *i; return nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if stat := sess.Push("/n", i); stat != nil {
				t.Error(stat)
			}
		})
	}
	wg.Wait()
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	seen := make([]bool, n)
	for range n {
		if i := polltest.Receive(t, "a push", got); seen[i] {
			t.Errorf("%d came twice", i)
		} else {
			seen[i] = true
		}
	}
	if len(got) != 0 {
		t.Errorf("%d pushes too many", len(got))
	}
}
