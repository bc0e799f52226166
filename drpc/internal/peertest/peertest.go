// Package peertest has what the tests of protocols and plugins need to speak through real endpoints: endpoints that end with
// the test, a peer that is none, and a check that authentication works. Only tests import this package.
package peertest

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// Soon is a time that only a hang can take.
const Soon = 20 * time.Second

// Endpoint makes an endpoint on the loopback interface that closes with the test.
func Endpoint(t testing.TB, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) drpc.Endpoint {
	t.Helper()
	cfg.LocalIP = "127.0.0.1"
	e, err := drpc.New(cfg, plugins...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// Serve makes e listen with the protocol given and returns where.
func Serve(t testing.TB, e drpc.Endpoint, pf proto.ProtoFunc) (addr string) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.ListenAndServe(pf) }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	polltest.Until(t, "the endpoint listens", func() bool { return len(e.Addrs()) > 0 })
	return e.Addrs()[0].String()
}

// Dial connects e to addr with the protocol given.
func Dial(t testing.TB, e drpc.Endpoint, addr string, pf proto.ProtoFunc) drpc.Session {
	t.Helper()
	sess, stat := e.Dial(addr, pf)
	if stat != nil {
		t.Fatal(stat)
	}
	return sess
}

// Raw connects to addr without an endpoint: what is written and read are frames of the raw protocol, one by one. It closes with
// the test, and gives up reading and writing after Soon.
func Raw(t testing.TB, addr string) *socket.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := socket.New(conn, socket.Options{})
	t.Cleanup(func() { _ = c.Close() })
	if err = c.SetDeadline(time.Now().Add(Soon)); err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	secret  = "token"
	welcome = "welcome"
)

// checker accepts who sends the secret.
type checker struct{}

func (checker) Name() string { return "checker" }

func (checker) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	if text, stat := receive(sess, drpc.TypeAuthCall); stat != nil || text != secret {
		_ = sess.EarlySend(drpc.TypeAuthReply, "", nil, drpc.NewStatus(drpc.CodeUnauthorized, "who are you"))
		return drpc.NewStatus(drpc.CodeUnauthorized, "a stranger", stat)
	}
	return sess.EarlySend(drpc.TypeAuthReply, "", welcome, nil)
}

// bearer sends itself.
type bearer string

func (bearer) Name() string { return "bearer" }

func (b bearer) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status {
	if stat := sess.EarlySend(drpc.TypeAuthCall, "", string(b), nil); stat != nil {
		return stat
	}
	text, stat := receive(sess, drpc.TypeAuthReply)
	if stat == nil && text != welcome {
		return drpc.NewStatus(drpc.CodeUnauthorized, "not welcome", text)
	}
	return stat
}

// receive returns the text of the next message, which must be of this type.
func receive(sess drpc.EarlySession, mtype byte) (text string, stat *drpc.Status) {
	m := sess.EarlyReceive(func(message.Header) any { return &text })
	switch {
	case !m.StatusOK():
		return "", m.Status()
	case m.MType() != mtype:
		return "", drpc.NewStatus(drpc.CodeUnauthorized, "received "+drpc.TypeText(m.MType()))
	}
	return text, nil
}

// Authenticates checks that a session can be authenticated before its first message, and refused, over the protocol
// given.
func Authenticates(t *testing.T, pf proto.ProtoFunc) {
	srv := Endpoint(t, drpc.EndpointConfig{}, checker{})
	drpc.HandleCall(srv, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	addr := Serve(t, srv, pf)
	sess := Dial(t, Endpoint(t, drpc.EndpointConfig{}, bearer(secret)), addr, pf)
	var got string
	if stat := sess.Call("/echo", "x", &got).Status(); stat != nil || got != "x" {
		t.Errorf("%q (%v)", got, stat)
	}
	_, stat := Endpoint(t, drpc.EndpointConfig{}, bearer("nobody")).Dial(addr, pf)
	if stat.OK() || stat.Cause().Error() == "" {
		t.Errorf("a stranger was let in: %v", stat)
	}
}
