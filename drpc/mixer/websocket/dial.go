package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
)

// maxRefusal is how much of a refusal's text is kept.
const maxRefusal = 512

// HandshakeError is in the cause of the status of a dial that the server has refused; errors.As finds it.
type HandshakeError struct {
	// Code is the HTTP status, Text the beginning of what the server said to it.
	Code int
	Text string
}

// Error names the HTTP status.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("websocket handshake refused with HTTP status %d: %s", e.Code, e.Text)
}

// NewDialPlugin returns a plugin that makes every connection which the endpoint dials one over WebSocket. rootPath is the
// path of the server, with a query if it wants one. The sub-protocol is the protocol given to Dial. The plugin belongs to
// one endpoint.
func NewDialPlugin(rootPath string) drpc.Plugin { return NewDialPluginWith(rootPath, DialOptions{}) }

// NewDialPluginWith is NewDialPlugin with options.
func NewDialPluginWith(rootPath string, opts DialOptions) drpc.Plugin {
	return newDialer(rootPath, opts)
}

// dialer is the plugin of a dialling endpoint.
type dialer struct {
	owner
	path, query string
	cfg         *drpc.EndpointConfig // complete once the endpoint is made
	ctx         context.Context      // of handshakes; ends when the endpoint begins to close
	cancel      context.CancelFunc
	buffers     sync.Pool // of the library, which hardly uses them

	mu   sync.Mutex
	opts DialOptions
}

var (
	_ drpc.BeforeNewEndpointPlugin   = (*dialer)(nil)
	_ drpc.BeforeCloseEndpointPlugin = (*dialer)(nil)
	_ drpc.AfterDialPlugin           = (*dialer)(nil)
)

func newDialer(rootPath string, opts DialOptions) *dialer {
	p, query, _ := strings.Cut(rootPath, "?")
	d := &dialer{path: path.Join("/", p), query: query, opts: opts}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Name returns the name of the plugin.
func (*dialer) Name() string { return "websocket-dial" }

// BeforeNewEndpoint looks at the configuration, for the time that a handshake may take.
func (d *dialer) BeforeNewEndpoint(cfg *drpc.EndpointConfig, _ *drpc.PluginContainer) error {
	d.cfg = cfg
	return nil
}

// BeforeCloseEndpoint ends the handshakes that are under way.
func (d *dialer) BeforeCloseEndpoint(e drpc.Endpoint) error {
	d.cancel()
	return d.owner.BeforeCloseEndpoint(e)
}

// AfterDial does the handshake.
func (d *dialer) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status {
	var failure error
	sess.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
		sub, host := destination(sess)
		c, err := d.upgrade(conn, host)
		if err != nil {
			failure = err
			return nil, nil
		}
		return c, c.protoFunc(sub)
	})
	if failure != nil {
		return drpc.NewStatus(drpc.CodeDialFailed, drpc.CodeText(drpc.CodeDialFailed), failure)
	}
	return nil
}

func (d *dialer) options() DialOptions {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opts
}

func (d *dialer) timeout() time.Duration {
	if d.cfg == nil || d.cfg.HandshakeTimeout <= 0 {
		return defaultHandshakeTimeout
	}
	return d.cfg.HandshakeTimeout
}

// upgrade makes a connection one over WebSocket.
func (d *dialer) upgrade(conn net.Conn, host string) (*Conn, error) {
	opts := d.options()
	w := newWire(conn, true)
	scheme := "ws"
	if _, secured := conn.(*tls.Conn); secured {
		scheme = "wss"
	}
	header := opts.Header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if header.Get("Origin") == "" {
		// No page has this scheme, and a server that wants to see its own host does.
		header.Set("Origin", scheme+"://"+host+d.path)
	}
	lib := gorilla.Dialer{
		NetDialContext:   func(context.Context, string, string) (net.Conn, error) { return w, nil },
		HandshakeTimeout: d.timeout(),
		ReadBufferSize:   libraryBuffer,
		WriteBufferPool:  &d.buffers,
	}
	stop := context.AfterFunc(d.ctx, func() { _ = w.SetDeadline(time.Unix(1, 0)) }) // nothing else ends a read
	target := url.URL{Scheme: "ws", Host: host, Path: d.path, RawQuery: d.query}    // TLS there is already
	ws, resp, err := lib.DialContext(d.ctx, target.String(), header)
	if !stop() && err == nil {
		err = context.Cause(d.ctx)
	}
	if err != nil {
		return nil, refusal(resp, err)
	}
	socket.TryOptimize(netConn(conn))
	c := newConn(w, ws, nil, &d.owner)
	c.watch(opts.Ping)
	return c, nil
}

// refusal says why a handshake has failed. There is an answer also where the server has not refused, but the endpoint
// has been closed meanwhile.
func refusal(resp *http.Response, err error) error {
	if resp == nil || !errors.Is(err, gorilla.ErrBadHandshake) {
		return fmt.Errorf("websocket handshake: %w", err)
	}
	text := make([]byte, maxRefusal)
	n, _ := resp.Body.Read(text) // the library has read it already
	return &HandshakeError{Code: resp.StatusCode, Text: strings.TrimSpace(string(text[:n]))}
}

// addressed is a protocol that knows where it was dialled to: a request names its host, which the connection does not
// know. It is never used.
type addressed struct {
	proto.Proto
	sub  proto.ProtoFunc
	addr string
}

// withAddress returns a protocol function that destination finds addr in.
func withAddress(addr string, sub proto.ProtoFunc) proto.ProtoFunc {
	return func(rw proto.IOWithReadBuffer) proto.Proto { return &addressed{sub(rw), sub, addr} }
}

// destination returns the sub-protocol of a session and the host to name in its request.
func destination(sess drpc.EarlySession) (sub proto.ProtoFunc, host string) {
	sub, host = sess.GetProtoFunc(), sess.RemoteAddr().String()
	if a, ok := sub(nil).(*addressed); ok {
		sub, host = a.sub, a.addr
	}
	name, port, err := net.SplitHostPort(host)
	switch {
	case err != nil:
		return sub, "localhost" // a path
	case name == "":
		return sub, net.JoinHostPort("localhost", port)
	}
	return sub, host
}
