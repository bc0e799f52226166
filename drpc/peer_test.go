package drpc

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// newPeer makes an endpoint that closes with the test.
func newPeer(t testing.TB, cfg EndpointConfig, plugins ...Plugin) Endpoint {
	t.Helper()
	if cfg.LocalIP == "" && cfg.Network == "" {
		cfg.LocalIP = "127.0.0.1"
	}
	e, err := New(cfg, plugins...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// serve makes e listen and returns where.
func serve(t testing.TB, e Endpoint) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.ListenAndServe() }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-done; !errors.Is(err, ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	var addrs []net.Addr
	polltest.Until(t, "listening", func() bool {
		addrs = e.Addrs()
		return len(addrs) > 0
	})
	return addrs[0].String()
}

// dial connects e to addr.
func dial(t testing.TB, e Endpoint, addr string) Session {
	t.Helper()
	sess, stat := e.Dial(addr)
	if stat != nil {
		t.Fatalf("dial %s: %v", addr, stat)
	}
	return sess
}

// rawPeer speaks to an endpoint frame by frame, so that a test can send what no honest endpoint would.
type rawPeer struct {
	*socket.Conn
	t testing.TB
}

// rawDial connects to an endpoint.
func rawDial(t testing.TB, addr string) *rawPeer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newRawPeer(t, conn)
}

func newRawPeer(t testing.TB, conn net.Conn) *rawPeer {
	p := &rawPeer{socket.New(conn, socket.Options{}), t}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// rawListen accepts connections for a peer to dial and runs serve for each, on a goroutine of its own.
func rawListen(t testing.TB, serve func(p *rawPeer)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var peers []*rawPeer
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p := &rawPeer{socket.New(conn, socket.Options{}), t}
			mu.Lock()
			peers = append(peers, p)
			mu.Unlock()
			wg.Go(func() {
				defer func() { _ = p.Close() }()
				serve(p)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, p := range peers {
			_ = p.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// next reads a message with its body as it came; nil means that the connection has ended.
func (p *rawPeer) next() message.Message {
	m := message.NewMessage(message.WithBody(new([]byte)))
	if err := p.ReadMessage(m); err != nil {
		return nil
	}
	return m
}

// send writes a message; the body is sent as it is.
func (p *rawPeer) send(mtype byte, seq int32, method string, bodyCodec byte, body string, settings ...message.MsgSetting) bool {
	m := message.NewMessage(settings...)
	m.SetMType(mtype)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	m.SetBodyCodec(bodyCodec)
	m.SetBody([]byte(body))
	return p.WriteMessage(m) == nil
}

// reply answers a call with a JSON body.
func (p *rawPeer) reply(call message.Message, body string, settings ...message.MsgSetting) bool {
	return p.send(message.TypeReply, call.Seq(), "", codec.JsonId, body, settings...)
}

// wantStatus checks code and cause; an empty cause is not compared.
func wantStatus(t testing.TB, stat *Status, code int32, cause string) {
	t.Helper()
	if stat.Code() != code {
		t.Errorf("status %v, want code %d", stat, code)
		return
	}
	if cause != "" && (stat.Cause() == nil || !strings.Contains(stat.Cause().Error(), cause)) {
		t.Errorf("status %v, want a cause with %q", stat, cause)
	}
}

// pendingCalls is how many calls wait for a reply on the connection of sess.
func pendingCalls(sess Session) int {
	l := sess.(*session).link.Load()
	l.pending.mu.Lock()
	defer l.pending.mu.Unlock()
	return l.pending.n
}
