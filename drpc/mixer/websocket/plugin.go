package websocket

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/logger"
)

// BeforeWebsocketHandshakePlugin runs before a request is upgraded, on the accepting side. A status refuses it with 403.
type BeforeWebsocketHandshakePlugin interface {
	drpc.Plugin
	BeforeHandshake(r *http.Request) *drpc.Status
}

// AfterWebsocketAcceptPlugin runs when the session of an upgraded request is up, on the accepting side, and may push over
// it. Messages of the peer are read only after it, so it must not wait for any. A status closes the session with the
// code 1008.
type AfterWebsocketAcceptPlugin interface {
	drpc.Plugin
	AfterAccept(sess drpc.Session, conn *Conn) *drpc.Status
}

var (
	_ drpc.BeforeCloseEndpointPlugin = (*first)(nil)
	_ drpc.AfterAcceptPlugin         = (*first)(nil)
	_ drpc.AfterAcceptPlugin         = last{}
)

// owner is what the connections of an endpoint share.
type owner struct {
	// leaving says that the endpoint is closing, which peers are told.
	leaving atomic.Bool
}

// BeforeCloseEndpoint is called when the endpoint begins to close.
func (o *owner) BeforeCloseEndpoint(drpc.Endpoint) error {
	o.leaving.Store(true)
	return nil
}

const (
	firstName = "websocket"
	lastName  = "websocket-last"
)

// first is the plugin of an accepting endpoint that runs before all others.
type first struct{ owner }

// Name returns the name of the plugin.
func (*first) Name() string { return firstName }

// AfterAccept gives the session its id and takes its connection out of the envelope, if it is in one.
func (*first) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
		c, packed := unwrap(conn)
		if c == nil {
			return nil, nil
		}
		if addr := c.RemoteAddr().String(); addr != "" && addr != "@" { // as of unix sockets, which all have the same
			sess.SetID("ws://" + addr)
		}
		if packed {
			return c, sess.GetProtoFunc()
		}
		return nil, nil
	})
	return nil
}

// last is the plugin of an accepting endpoint that runs after all others.
type last struct{}

// Name returns the name of the plugin.
func (last) Name() string { return lastName }

// AfterAccept keeps messages from being read before the plugins of this package have had their say.
func (last) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
		if c, _ := unwrap(conn); c != nil {
			gate := c.opened
			c.gate.Store(&gate)
		}
		return nil, nil
	})
	return nil
}

// install adds the plugins to an endpoint, once.
func install(ep drpc.Endpoint) *owner {
	plugins := ep.PluginContainer()
	if f, ok := plugins.GetByName(firstName).(*first); ok {
		return &f.owner
	}
	f := new(first)
	plugins.AppendLeft(f)
	plugins.AppendRight(last{})
	return &f.owner
}

// envelope keeps an endpoint with a TLS configuration from securing a connection once more: whatever TLS there is lies
// below the WebSocket.
type envelope struct{ *Conn }

// ConnectionState is what netproto.IsSecure asks for. It is that of the TLS below, nothing where there is none.
func (e envelope) ConnectionState() tls.ConnectionState {
	if t, ok := e.wire.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}

// enveloped puts a connection into an envelope if the endpoint would secure it.
func enveloped(ep drpc.Endpoint, c *Conn) net.Conn {
	if ep.TLSConfig() == nil {
		return c
	}
	return envelope{c}
}

// unwrap returns the connection in conn, nil if it is of another kind, and whether it was in an envelope.
func unwrap(conn net.Conn) (c *Conn, packed bool) {
	if e, ok := conn.(envelope); ok {
		return e.Conn, true
	}
	c, _ = conn.(*Conn)
	return c, false
}

// guarded calls a hook; a panic becomes a status.
func guarded(p drpc.Plugin, hook string, call func() *drpc.Status) (stat *drpc.Status) {
	defer func() {
		if r := recover(); r != nil {
			logger.Errorf(context.Background(), "plugin %s panicked in %s: %v\n%s", p.Name(), hook, r, debug.Stack())
			stat = drpc.NewStatus(drpc.CodeInternalServerError, "", fmt.Sprintf("plugin %s panicked in %s", p.Name(), hook))
		}
	}()
	return call()
}
