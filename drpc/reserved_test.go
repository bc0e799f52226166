package drpc

import (
	"errors"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

// pushWitness sees every push that hooks get to see.
type pushWitness struct{ seen chan string }

func (pushWitness) Name() string { return "push witness" }

func (w pushWitness) AfterReadPushHeader(c ReadCtx) *Status {
	w.seen <- "header " + c.ServiceMethod()
	return nil
}

func (w pushWitness) AfterReadPushBody(c ReadCtx) *Status {
	w.seen <- "body " + c.ServiceMethod()
	return nil
}

func TestReservedPushesReachNeitherHandlersNorHooks(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 100)
	srv := newPeer(t, EndpointConfig{}, pushWitness{seen})
	srv.SetUnknownPush(func(c UnknownPushCtx) *Status {
		seen <- "unknown " + c.ServiceMethod()
		return nil
	})
	HandleCall(srv, "/drpc/cancel", func(CallCtx, *string) (string, *Status) { return "calls are not reserved", nil })
	p := rawDial(t, serve(t, srv))
	for _, body := range []string{"", "1", "-1", "99999999999999999999", "x", `"1"`, "[1]", "1.5", "\x00", "NaN", " 1"} {
		for _, method := range []string{"/drpc/cancel", "/drpc/goaway", "/drpc/", "/drpc/of/a/newer/version"} {
			if !p.send(TypePush, 1, method, 'j', body) {
				t.Fatal("the connection was closed")
			}
		}
	}
	p.send(TypePush, 2, "/drpcx", 'j', "1")
	for _, want := range []string{"header /drpcx", "body /drpcx", "unknown /drpcx"} {
		if got := polltest.Receive(t, want, seen); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p.send(TypeCall, 3, "/drpc/cancel", 'j', `""`)
	if m := p.next(); m == nil || !m.StatusOK() || m.Seq() != 3 {
		t.Errorf("the call got %v", m)
	}
}

func TestReservedPushesCannotBeRouted(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	handler := func(PushCtx, *string) *Status { return nil }
	for _, path := range []string{"/drpc/cancel", "/drpc/mine"} {
		if _, err := AddPush(e, path, handler); !errors.Is(err, ErrReserved) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := AddPush(e.SubRoute("/drpc"), "/mine", handler); !errors.Is(err, ErrReserved) {
		t.Errorf("in a group: %v", err)
	}
	for _, path := range []string{"/drpc", "/drpcx/mine", "/mine/drpc/cancel"} {
		if _, err := AddPush(e, path, handler); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
