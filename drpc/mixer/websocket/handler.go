package websocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/logger"
)

// NewHandler returns a handler that makes a session of endpoint from each request to it. It can stand beside other routes
// of any HTTP/1.1 server, whose ReadHeaderTimeout bounds how long a client may take for its request. Closing the endpoint
// closes the sessions.
//
// It adds plugins to the endpoint. Plugins of the program that speak to the peer in AfterAccept should be there when the
// handler is made.
func NewHandler(endpoint drpc.Endpoint, opts Options) http.Handler {
	if opts.SubProto == nil {
		opts.SubProto = jsonSubProto.NewJSONSubProtoFunc()
	}
	h := &handler{ep: endpoint, opts: opts, owner: install(endpoint)}
	h.upgrader = gorilla.Upgrader{
		HandshakeTimeout: defaultHandshakeTimeout,
		ReadBufferSize:   libraryBuffer,
		WriteBufferPool:  &h.writeBuffers,
		CheckOrigin:      func(*http.Request) bool { return true }, // was checked before the plugins
	}
	return h
}

// NewServeHandler is NewHandler with some of the options, for programs that know it by this name. handshake may be nil; of
// several protocols only the first counts.
func NewServeHandler(endpoint drpc.Endpoint, handshake func(*http.Request) error, protoFunc ...proto.ProtoFunc) http.Handler {
	opts := Options{Handshake: handshake}
	if len(protoFunc) > 0 {
		opts.SubProto = protoFunc[0]
	}
	return NewHandler(endpoint, opts)
}

// NewJSONServeHandler is NewServeHandler with the json sub-protocol.
func NewJSONServeHandler(endpoint drpc.Endpoint, handshake func(*http.Request) error) http.Handler {
	return NewServeHandler(endpoint, handshake, jsonSubProto.NewJSONSubProtoFunc())
}

// NewPbServeHandler is NewServeHandler with the protobuf sub-protocol.
func NewPbServeHandler(endpoint drpc.Endpoint, handshake func(*http.Request) error) http.Handler {
	return NewServeHandler(endpoint, handshake, pbSubProto.NewPbSubProtoFunc())
}

type handler struct {
	ep           drpc.Endpoint
	opts         Options
	owner        *owner
	upgrader     gorilla.Upgrader
	writeBuffers sync.Pool // of the library, which hardly uses them
}

// ServeHTTP upgrades the request. It returns when the session is up, and leaves it to the endpoint.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.allow(r); err != nil {
		logger.Debugf(context.Background(), "websocket of %s was refused: %v", r.RemoteAddr, err)
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	}
	taken := &hijacker{ResponseWriter: w}
	ws, err := h.upgrader.Upgrade(taken, r, nil) // answers by itself
	if err != nil {
		logger.Debugf(context.Background(), "websocket handshake of %s: %v", r.RemoteAddr, err)
		return
	}
	h.serve(newConn(taken.wire, ws, r, h.owner))
}

var errOrigin = errors.New("origin not allowed")

// allow asks all who may refuse a request.
func (h *handler) allow(r *http.Request) error {
	check := h.opts.CheckOrigin
	if check == nil {
		check = sameHost
	}
	if !check(r) {
		return fmt.Errorf("%w: %q", errOrigin, r.Header.Get("Origin"))
	}
	for _, p := range h.ep.PluginContainer().GetAll() {
		before, ok := p.(BeforeWebsocketHandshakePlugin)
		if !ok {
			continue
		}
		if stat := guarded(p, "BeforeHandshake", func() *drpc.Status { return before.BeforeHandshake(r) }); !stat.OK() {
			return fmt.Errorf("plugin %s: %v", p.Name(), stat)
		}
	}
	if h.opts.Handshake != nil {
		return h.opts.Handshake(r)
	}
	return nil
}

// sameHost reports whether the request comes from a page of the host that it goes to, or from no page at all: DMicro 1.x
// clients state an origin with the scheme of a websocket, which no page can have.
func sameHost(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 {
		return false
	}
	return u.Scheme == "ws" || u.Scheme == "wss" || strings.EqualFold(u.Host, r.Host)
}

// serve makes a session of an upgraded connection.
func (h *handler) serve(c *Conn) {
	socket.TryOptimize(c.NetConn())
	c.watch(h.opts.Ping)
	sess, stat := h.ep.ServeConn(enveloped(h.ep, c), c.protoFunc(h.opts.SubProto))
	if stat != nil {
		logger.Debugf(context.Background(), "websocket of %s: %v", c.RemoteAddr(), stat)
		return
	}
	for _, p := range h.ep.PluginContainer().GetAll() {
		after, ok := p.(AfterWebsocketAcceptPlugin)
		if !ok {
			continue
		}
		if stat = guarded(p, "AfterAccept", func() *drpc.Status { return after.AfterAccept(sess, c) }); !stat.OK() {
			logger.Debugf(context.Background(), "websocket of %s was not accepted by plugin %s: %v", c.RemoteAddr(), p.Name(), stat)
			c.setCode(gorilla.ClosePolicyViolation)
			_ = sess.Close() // refused: what goes wrong now concerns nobody
			return
		}
	}
	close(c.opened)
}

// hijacker puts a wire under the library.
type hijacker struct {
	http.ResponseWriter
	wire *wire
}

// Hijack takes the connection over.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(conn, false)
	return h.wire, rw, nil
}
