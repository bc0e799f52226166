package ignorecase_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/plugin/ignorecase"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func TestHandlersAreFoundWhateverTheCase(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, ignorecase.NewIgnoreCase())
	for _, path := range []string{"/math/add", "/Math/Sub", "/twice", "/Twice", "/ÄRGER"} {
		drpc.HandleCall(srv, path, func(drpc.CallCtx, *string) (string, *drpc.Status) { return path, nil })
	}
	srv.SetUnknownCall(func(c drpc.UnknownCallCtx) (any, *drpc.Status) { return "unknown " + c.ServiceMethod(), nil })
	sess := peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}),
		peertest.Serve(t, srv, jsonproto.NewJSONProtoFunc()), jsonproto.NewJSONProtoFunc())
	for method, want := range map[string]string{
		"/math/add": "/math/add",
		"/Math/Add": "/math/add",
		"/MATH/ADD": "/math/add",
		"/math/sub": "/Math/Sub",
		"/Math/Sub": "/Math/Sub",
		"/MATH/SUB": "/Math/Sub",
		"/twice":    "/twice", // exact names win
		"/Twice":    "/Twice",
		"/TWICE":    "/twice",
		"/ärger":    "/ÄRGER",
		"/Nothing":  "unknown /nothing",
	} {
		var got string
		if stat := sess.Call(method, "", &got).Status(); stat != nil || got != want {
			t.Errorf("%s reached %q (%v), want %q", method, got, stat, want)
		}
	}
}

func TestPushesAndBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, ignorecase.NewIgnoreCase())
	got := make(chan string, 1)
	drpc.HandlePush(srv, "/note", func(c drpc.PushCtx, _ *string) *drpc.Status {
		got <- c.ServiceMethod()
		return nil
	})
	sess := peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}),
		peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	if stat := sess.Call("/\xff\xfeX", "", nil).Status(); stat.Code() != drpc.CodeNotFound {
		t.Errorf("status %v", stat)
	}
	if stat := sess.Push("/NOTE", ""); stat != nil {
		t.Fatal(stat)
	}
	if method := <-got; method != "/note" {
		t.Errorf("the handler sees %q", method)
	}
}

// The names that programs for DMicro 1.x use.
var (
	_ drpc.Plugin                    = ignorecase.NewIgnoreCase()
	_ drpc.AfterReadCallHeaderPlugin = ignorecase.NewIgnoreCase()
	_ drpc.AfterReadPushHeaderPlugin = ignorecase.NewIgnoreCase()
)

func TestName(t *testing.T) {
	t.Parallel()
	if name := ignorecase.NewIgnoreCase().Name(); name != "ignoreCase" {
		t.Errorf("name %q", name)
	}
}
