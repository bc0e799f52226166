package event_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/plugin/event"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/eventbus"
	"github.com/osgochina/dmicro/internal/porttest"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // listeners fail on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// diary notes what a bus says, a line for each event.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// expect waits until the lines given have come, in any order as far as they come from several goroutines.
func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	for end := time.Now().Add(peertest.Soon); time.Now().Before(end); time.Sleep(time.Millisecond) {
		d.mu.Lock()
		got = slices.Clone(d.lines)
		d.mu.Unlock()
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

func keep(t *testing.T, bus *eventbus.EventBus) *diary {
	t.Helper()
	d := new(diary)
	for _, err := range []error{
		bus.Listen(event.OnAcceptEvent, eventbus.ListenerFunc(func(e eventbus.IEvent) error {
			d.note(fmt.Sprintf("%s %v", e.Name(), e.(*event.OnAccept).Session.RemoteAddr() != nil))
			return nil
		})),
		bus.Listen(event.OnConnectEvent, eventbus.ListenerFunc(func(e eventbus.IEvent) error {
			c := e.(*event.OnConnect)
			d.note(fmt.Sprintf("%s up %v redial %v error %v", e.Name(), c.IsSuccess, c.IsRedial, c.Err != nil))
			return nil
		})),
		bus.Listen(event.OnReceiveEvent, eventbus.ListenerFunc(func(e eventbus.IEvent) error {
			ctx := e.(*event.OnReceive).ReadCtx
			d.note(fmt.Sprintf("%s %s %s", e.Name(), drpc.TypeText(ctx.Input().MType()), ctx.ServiceMethod()))
			return nil
		})),
		bus.Listen(event.OnCloseEvent, eventbus.ListenerFunc(func(e eventbus.IEvent) error {
			d.note(fmt.Sprintf("%s %v", e.Name(), e.(*event.OnClose).Session.ID() != ""))
			return nil
		})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestEveryEventIsPublished(t *testing.T) {
	t.Parallel()
	there, here := eventbus.New("there"), eventbus.New("here")
	dThere, dHere := keep(t, there), keep(t, here)
	cfg := drpc.EndpointConfig{ListenPort: porttest.Free(t)} // which nobody else gets after the Close
	srv := peertest.Endpoint(t, cfg, event.NewEventPlugin(there))
	drpc.HandleCall(srv, "/call", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "x", nil })
	drpc.HandlePush(srv, "/push", func(drpc.PushCtx, *string) *drpc.Status { return nil })
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	cli := peertest.Endpoint(t, drpc.EndpointConfig{RedialTimes: 1}, event.NewEventPlugin(here))

	sess := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
	want := []string{"endpoint_accept true"}
	wantHere := []string{"endpoint_connect up true redial false error false"}
	dThere.expect(t, want...)
	dHere.expect(t, wantHere...)

	var text string
	if stat := sess.Call("/call", "a", &text).Status(); stat != nil {
		t.Fatal(stat)
	}
	if stat := sess.Push("/push", "a"); stat != nil {
		t.Fatal(stat)
	}
	want = append(want, "endpoint_receive CALL /call", "endpoint_receive PUSH /push")
	wantHere = append(wantHere, "endpoint_receive REPLY /call")
	dThere.expect(t, want...)
	dHere.expect(t, wantHere...)

	drpc.Cut(sess, errors.New("on purpose"))
	want = append(want, "endpoint_close true", "endpoint_accept true")
	wantHere = append(wantHere, "endpoint_connect up true redial true error false")
	dHere.expect(t, wantHere...)
	dThere.expect(t, want...)

	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	wantHere = append(wantHere, "endpoint_connect up false redial true error true", "endpoint_close true")
	dHere.expect(t, wantHere...)
	if _, stat := cli.Dial(addr); stat.OK() {
		t.Fatal("dialled what is closed")
	}
	dHere.expect(t, append(wantHere, "endpoint_connect up false redial false error true")...)
}

func TestListenersThatFailHarmNobody(t *testing.T) {
	t.Parallel()
	bus := eventbus.NewWithConfig("", eventbus.Config{ContinueOnError: true})
	p := event.NewEventPlugin(bus)
	for _, l := range []eventbus.ListenerFunc{
		func(eventbus.IEvent) error { return errors.New("no") },
		func(eventbus.IEvent) error { panic("on purpose") },
	} {
		if err := bus.Listen("*", l); err != nil {
			t.Fatal(err)
		}
	}
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	drpc.HandleCall(srv, "/call", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "x", nil })
	cli := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	sess := peertest.Dial(t, cli, peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	var text string
	if stat := sess.Call("/call", "a", &text).Status(); stat != nil || text != "x" {
		t.Errorf("%q (%v)", text, stat)
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
}

func TestEventsCarryDataLikeAnyOther(t *testing.T) {
	t.Parallel()
	bus := eventbus.New("")
	if err := bus.Listen("*", eventbus.ListenerFunc(func(e eventbus.IEvent) error {
		e.Set("by", "first")
		return nil
	}), eventbus.High); err != nil {
		t.Fatal(err)
	}
	for _, e := range []eventbus.IEvent{new(event.OnAccept), new(event.OnConnect), new(event.OnReceive), new(event.OnClose)} {
		if err := bus.Publish(e); err != nil || e.Get("by") != "first" {
			t.Errorf("%s: %v, %v", e.Name(), e.Data(), err)
		}
		e.Abort(true)
		if e.SetData(map[any]any{"by": "me"}); !e.IsAborted() || e.Get("by") != "me" {
			t.Errorf("%s: aborted %v, %v", e.Name(), e.IsAborted(), e.Data())
		}
	}
}

// The names that programs for DMicro 1.x use.
var (
	_ drpc.Plugin       = event.NewEventPlugin(nil)
	_ drpc.EarlySession = event.OnAccept{}.Session
	_ drpc.EarlySession = event.OnConnect{}.Session
	_ drpc.ReadCtx      = event.OnReceive{}.ReadCtx
	_ drpc.BaseSession  = event.OnClose{}.Session
	_                   = []string{event.OnAcceptEvent, event.OnConnectEvent, event.OnReceiveEvent, event.OnCloseEvent}
)

func TestNameAndDefaultBus(t *testing.T) {
	// Not parallel: the default bus belongs to the process.
	p := event.NewEventPlugin(nil)
	if p.Name() != "endpoint-event" {
		t.Errorf("name %q", p.Name())
	}
	seen := make(chan error, 1)
	stop, err := eventbus.On(eventbus.Default(), event.OnConnectEvent, func(e *event.OnConnect) error {
		seen <- e.Err
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	want := errors.New("refused")
	p.AfterDialFail(nil, want, false)
	if got := <-seen; got != want {
		t.Errorf("error %v", got)
	}
}
