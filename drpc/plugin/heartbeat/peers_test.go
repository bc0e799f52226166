package heartbeat

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// quick is a rate for tests in which nobody falls silent: a peer that shares a busy machine must not seem to within twice
// that time.
const quick = 500 * time.Millisecond

// some is how many bytes a few heartbeats are.
const some = 120

// listen accepts one connection and hands it over.
func listen(t *testing.T) (addr string, conns <-chan *socket.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := make(chan *socket.Conn, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := ln.Accept(); err == nil {
			c <- socket.New(conn, socket.Options{})
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
		select {
		case conn := <-c:
			_ = conn.Close()
		default:
		}
	})
	return ln.Addr().String(), c
}

func TestHeartbeatOnTheWire(t *testing.T) {
	t.Parallel()
	for form, mtype := range map[string]byte{"CALL": drpc.TypeCall, "PUSH": drpc.TypePush} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			p := newTestPing(form == "CALL")
			p.setRate(quick)
			cli := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
			addr, conns := listen(t)
			peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
			peer := <-conns
			defer func() { _ = peer.Close() }()
			m := message.NewMessage(message.WithBody(new([]byte)))
			if err := peer.ReadMessage(m); err != nil {
				t.Fatal(err)
			}
			if m.MType() != mtype || m.ServiceMethod() != "/heartbeat" || m.Meta().Get("hb_") != "1" ||
				m.BodyCodec() != codec.JsonId || len(*m.Body().(*[]byte)) != 0 {
				t.Errorf("heartbeat %v", m)
			}
		})
	}
}

// TestFrameOfAHeartbeat compares with what DMicro 1.x sends.
func TestFrameOfAHeartbeat(t *testing.T) {
	t.Parallel()
	m := message.NewMessage(message.WithMType(drpc.TypePush), message.WithServiceMethod(ServiceMethod),
		withDefaultCodec, message.WithSetMeta(MetaRate, seconds(MinRate)))
	m.SetSeq(1)
	var frame strings.Builder
	if err := rawproto.RawProtoFunc(readWriter{Builder: &frame}).Pack(m); err != nil {
		t.Fatal(err)
	}
	status := hex.EncodeToString([]byte(`{"code":0,"msg":"","cause":""}`))
	want := "0a" + hex.EncodeToString([]byte("/heartbeat")) + "001e" + status + "000b" + hex.EncodeToString([]byte(`{"hb_":"3"}`)) + "6a"
	if got := hex.EncodeToString([]byte(frame.String())); !strings.HasSuffix(got, want) {
		t.Errorf("frame\n%s\nshall end with\n%s", got, want)
	}
}

// readWriter is enough to pack.
type readWriter struct {
	*strings.Builder
}

func (readWriter) Read([]byte) (int, error) { return 0, net.ErrClosed }

func TestPingAndPongKeepASessionUpOverEveryProtocol(t *testing.T) {
	t.Parallel()
	for name, pf := range map[string]socket.ProtoFunc{
		"raw": rawproto.RawProtoFunc, "json": jsonproto.NewJSONProtoFunc(), "protobuf": pbproto.NewPbProtoFunc(),
		"http": httpproto.NewHTTProtoFunc(), "jsonrpc": jsonrpcproto.NewJSONRPCProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pongs := NewPong().(*pong)
			srv := peertest.Endpoint(t, drpc.EndpointConfig{}, pongs)
			addr := peertest.Serve(t, srv, pf)
			p := newTestPing(true)
			p.setRate(quick)
			cli := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
			sess := peertest.Dial(t, cli, addr, pf)
			polltest.Until(t, "heartbeats that are answered", func() bool { return sess.Stats().BytesIn > some })
			p.UsePush()
			before := sess.Stats().BytesOut
			polltest.Until(t, "heartbeats by push", func() bool { return sess.Stats().BytesOut > before+some })
			if !sess.Health() || sess.Stats().Redials != 0 || srv.CountSession() != 1 {
				t.Errorf("healthy %v, %d redials, %d sessions", sess.Health(), sess.Stats().Redials, srv.CountSession())
			}
			pongs.mu.Lock()
			defer pongs.mu.Unlock()
			if len(pongs.all) != 1 {
				t.Error("the pong watches nothing, though the peer has announced a rate")
			}
		})
	}
}

func TestPeerWithoutPongIsFine(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{})
	p := newTestPing(true)
	p.setRate(quick)
	sess := peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}, p),
		peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	polltest.Until(t, "heartbeats that are answered by 404", func() bool { return sess.Stats().BytesIn > some })
	if !sess.Health() {
		t.Error("the session is gone")
	}
}

func TestAcceptingSideMayPing(t *testing.T) {
	t.Parallel()
	p := newTestPing(true)
	p.setRate(quick)
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	cli := peertest.Endpoint(t, drpc.EndpointConfig{}, NewPong())
	sess := peertest.Dial(t, cli, peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	polltest.Until(t, "heartbeats from the server", func() bool { return sess.Stats().BytesIn > some })
	if !sess.Health() {
		t.Error("the session is gone")
	}
}

func TestServerFindsAClientThatHasStopped(t *testing.T) {
	t.Parallel()
	pongs := NewPong().(*pong)
	pongs.interval, pongs.rate = 5*time.Millisecond, func(int64) time.Duration { return 20 * time.Millisecond }
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, pongs)
	peer := peertest.Raw(t, peertest.Serve(t, srv, rawproto.RawProtoFunc))
	m := message.NewMessage(message.WithMType(drpc.TypePush), message.WithServiceMethod(ServiceMethod), drpc.WithSetMeta(MetaRate, "3"))
	err := peer.WriteMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // it may ask first
		err = peer.ReadMessage(message.NewMessage(message.WithBody(new([]byte))))
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the connection stays up")
	}
	polltest.Until(t, "the end of the session", func() bool { return srv.CountSession() == 0 })
}

func TestRatesThatMakeNoSenseChangeNothing(t *testing.T) {
	t.Parallel()
	pongs := NewPong().(*pong)
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, pongs)
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	cli := peertest.Endpoint(t, drpc.EndpointConfig{})
	rates := func() (list []time.Duration) {
		pongs.mu.Lock()
		defer pongs.mu.Unlock()
		for _, w := range pongs.all {
			w.mu.Lock()
			for _, m := range w.sessions {
				list = append(list, m.rate)
			}
			w.mu.Unlock()
		}
		return list
	}
	call := func(sess drpc.Session, rate any) {
		t.Helper()
		if stat := sess.Call(ServiceMethod, nil, nil, drpc.WithSetMetas(map[string]any{MetaRate: rate})).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	sess := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
	for _, rate := range []any{"", "0", "-1", "x", "1e9", "99999999999999999999", nil, []int{1}, map[string]any{"a": 1}, true, 0.5} {
		call(sess, rate)
	}
	if got := rates(); got != nil {
		t.Errorf("watched at %v", got)
	}
	for rate, want := range map[any]time.Duration{
		"1": MinRate, "3": MinRate, 30: 30 * time.Second, "3600": MaxRate, "9223372036854775807": MaxRate,
	} {
		call(sess, rate)
		if got := rates(); len(got) != 1 || got[0] != want {
			t.Errorf("announced %v, watched at %v, want %v", rate, got, want)
		}
	}
	call(sess, "10")
	call(sess, "nonsense")
	other := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
	call(other, "20")
	if got := rates(); len(got) != 2 || got[0]+got[1] != 30*time.Second {
		t.Errorf("watched at %v, each shall have its own", got)
	}
}

func TestHandlersHaveTheirNameWhateverTheMapper(t *testing.T) {
	// Not parallel: the mapper belongs to the process.
	drpc.SetServiceMethodMapper(drpc.RPCServiceMethodMapper)
	defer drpc.SetServiceMethodMapper(nil)
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, NewPong())
	for _, r := range srv.Routes() {
		if r.Path != "/heartbeat" {
			t.Errorf("%s %s", r.Kind, r.Path)
		}
	}
	if n := len(srv.Routes()); n != 2 {
		t.Errorf("%d routes", n)
	}
}

func TestOnePluginServesSeveralEndpoints(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, NewPong())
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	p := newTestPing(true)
	p.setRate(quick)
	for range 2 {
		cli := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
		sess := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
		polltest.Until(t, "heartbeats that are answered", func() bool { return sess.Stats().BytesIn > some })
		if err := cli.Close(); err != nil {
			t.Error(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) != 0 {
		t.Errorf("%d endpoints are still watched", len(p.all))
	}
}

func TestCloseDoesNotWaitForHeartbeats(t *testing.T) {
	t.Parallel()
	addr, conns := listen(t)
	p := newTestPing(true)
	p.setRate(soon) // so a heartbeat waits for four times as long
	cli := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	sess := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
	peer := <-conns
	defer func() { _ = peer.Close() }()
	w := p.of(cli, nil, nil)
	w.mu.Lock()
	w.send(sess, newMonitor(sess, perRate), soon, true)
	w.mu.Unlock()
	polltest.Until(t, "a heartbeat under way", func() bool { return sess.Stats().Calling == 1 })
	closed := make(chan error, 1)
	go func() { closed <- cli.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(soon):
		t.Error("Close waits for a heartbeat")
	}
}

// The names that programs for DMicro 1.x use.
var (
	_ func(rateSecond int, useCall bool) Ping = NewPing
	_ func() Pong                             = NewPong
	_ drpc.Plugin                             = Ping(nil)
	_ drpc.Plugin                             = Pong(nil)
)

func TestNames(t *testing.T) {
	t.Parallel()
	if ping, pong := NewPing(3, true).Name(), NewPong().Name(); ping != "heart-ping" || pong != "heart-pong" {
		t.Errorf("names %q and %q", ping, pong)
	}
}
