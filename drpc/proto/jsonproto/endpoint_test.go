package jsonproto_test

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// server serves one end of a pipe and returns the other one.
func server(t *testing.T) net.Conn {
	t.Helper()
	e, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	drpc.HandleCall(e, "/bytes", func(drpc.CallCtx, *string) ([]byte, *drpc.Status) { return []byte{0xff}, nil })
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, stat := e.ServeConn(theirs, jsonproto.NewJSONProtoFunc()); !stat.OK() {
			t.Error(stat)
		}
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-done
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := ours.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return ours
}

// exchange writes a frame and returns the reply to it.
func exchange(t *testing.T, conn net.Conn, frame []byte) (w wire) {
	t.Helper()
	go func() {
		if _, err := conn.Write(frame); err != nil {
			t.Errorf("write: %v", err)
		}
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, int(head[2])<<8|int(head[3])-1)
	if _, err := io.ReadFull(conn, payload); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &w); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return w
}

func TestOlderPeerIsServed(t *testing.T) {
	t.Parallel()
	conn := server(t)
	for _, text := range []string{"plain", `a"b`, "line\nline", `C:\dir`, "世界😀"} {
		body, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		// It reads what we write as any JSON reader does.
		got := exchange(t, conn, older(7, "/echo", status.OKJSON, "{}", 'j', string(body)))
		if got.Seq != 7 || got.MType != 2 || got.Status != status.OKJSON || got.Body != string(body) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestReplyThatCannotBeCarriedIsAnError(t *testing.T) {
	t.Parallel()
	conn := server(t)
	call := prototest.Call(3)
	call.SetServiceMethod("/bytes")
	call.SetBody("x")
	frame := kit.Pack(t, call)
	for range 2 { // the session goes on
		got := exchange(t, conn, frame)
		stat, err := status.Parse([]byte(got.Status))
		if err != nil || got.Seq != 3 || stat.Code() != drpc.CodeInternalServerError || !strings.Contains(stat.Cause().Error(), jsonproto.ErrNotText.Error()) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestFrameThatIsNoneEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string][]byte{
		"length 0": make([]byte, 4), "yaml": frame("seq: 1"), "no type": frame("{}"), "filters": []byte("\x00\x00\x00\x02\xff5"),
	} {
		conn := server(t)
		if _, err := conn.Write(bad); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}
