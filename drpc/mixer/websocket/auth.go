package websocket

import (
	"net/http"

	"github.com/osgochina/dmicro/drpc"
)

// sessionHeader carries the id of the session from the check to the acceptance, in the request. What a client sends
// under that name is dropped.
const sessionHeader = "Drpc-Session-Id"

// Checker looks at a request before it is upgraded. It returns the id that the session shall have, or an empty one; a
// status refuses the request with 403.
type Checker func(r *http.Request) (sessionID string, status *drpc.Status)

// Acceptor sees the session when it is up and has its id. A status closes it. It may push, but must not wait for the peer,
// whose messages are read only afterwards.
type Acceptor func(sess drpc.Session) *drpc.Status

// HandshakeAuthPlugin lets in those who prove who they are in the request, before there is a session. Either function may
// be nil. The fields must not be changed once the plugin is in use.
type HandshakeAuthPlugin struct {
	CheckFunc  Checker  // sees the request, before there is a session
	AcceptFunc Acceptor // sees the session, once it is up
}

var (
	_ BeforeWebsocketHandshakePlugin = (*HandshakeAuthPlugin)(nil)
	_ AfterWebsocketAcceptPlugin     = (*HandshakeAuthPlugin)(nil)
)

// NewHandshakeAuthPlugin returns the plugin for the endpoint of a server. A session whose id is taken over by a newer one
// is closed.
func NewHandshakeAuthPlugin(ckFn Checker, apFn Acceptor) *HandshakeAuthPlugin {
	return &HandshakeAuthPlugin{CheckFunc: ckFn, AcceptFunc: apFn}
}

// Name returns the name of the plugin.
func (*HandshakeAuthPlugin) Name() string { return "handshake-auth-plugin" }

// BeforeHandshake checks the request.
func (p *HandshakeAuthPlugin) BeforeHandshake(r *http.Request) *drpc.Status {
	r.Header.Del(sessionHeader)
	if p.CheckFunc == nil {
		return nil
	}
	id, stat := p.CheckFunc(r)
	if !stat.OK() {
		return stat
	}
	if id != "" {
		r.Header.Set(sessionHeader, id)
	}
	return nil
}

// AfterAccept names the session.
func (p *HandshakeAuthPlugin) AfterAccept(sess drpc.Session, conn *Conn) *drpc.Status {
	if id := conn.Request().Header.Get(sessionHeader); id != "" {
		sess.SetID(id)
	}
	if p.AcceptFunc == nil {
		return nil
	}
	return p.AcceptFunc(sess)
}

// QueryToken returns the value of a key in the query of the request, empty if there is none. A token in a query may end
// up in the logs of proxies; where the client is no browser, a header is the better place.
func QueryToken(tokenKey string, r *http.Request) (token string) { return r.URL.Query().Get(tokenKey) }
