package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/logger"
)

const (
	// maxHeaderBytes is how long the header of a request may be.
	maxHeaderBytes = 32 << 10
	// leaveTimeout is how long requests to other routes may go on when the server closes.
	leaveTimeout = 5 * time.Second
)

// Server is an endpoint that listens for WebSocket, and can have other routes beside it. With a TLS configuration, set
// before it listens, it is wss and https.
type Server struct {
	drpc.Endpoint
	root    string
	watcher *watcher
	mux     *http.ServeMux

	mu        sync.Mutex
	opts      Options
	closing   bool
	listeners map[net.Listener]*http.Server
	silent    map[net.Conn]struct{} // connected and said nothing so far
	serving   sync.WaitGroup
}

// NewServer makes a server for the path rootPath; with "/" it takes all paths that no other route has. Like
// drpc.NewEndpoint it ends the process with a message if something is wrong with the configuration or a plugin.
func NewServer(rootPath string, cfg drpc.EndpointConfig, globalLeftPlugin ...drpc.Plugin) *Server {
	s := &Server{
		root: path.Join("/", rootPath), mux: http.NewServeMux(),
		listeners: make(map[net.Listener]*http.Server), silent: make(map[net.Conn]struct{}),
	}
	s.watcher = &watcher{server: s}
	s.Endpoint = drpc.NewEndpoint(cfg, append([]drpc.Plugin{s.watcher}, globalLeftPlugin...)...)
	install(s.Endpoint)
	return s
}

// watcher is the plugin by which the server learns of its endpoint.
type watcher struct {
	server *Server
	cfg    *drpc.EndpointConfig // complete, with what plugins have changed, once the endpoint is made
}

var (
	_ drpc.BeforeNewEndpointPlugin   = (*watcher)(nil)
	_ drpc.BeforeCloseEndpointPlugin = (*watcher)(nil)
)

// Name returns the name of the plugin.
func (*watcher) Name() string { return "websocket-server" }

// BeforeNewEndpoint keeps the configuration.
func (w *watcher) BeforeNewEndpoint(cfg *drpc.EndpointConfig, _ *drpc.PluginContainer) error {
	w.cfg = cfg
	return nil
}

// BeforeCloseEndpoint stops the accepting, whoever closes the endpoint.
func (w *watcher) BeforeCloseEndpoint(drpc.Endpoint) error { return w.server.stop() }

// SetOptions sets the options of what is listened for from now on. The sub-protocol among them is the one of
// ListenAndServe without any.
func (s *Server) SetOptions(opts Options) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts = opts
}

// SetHandshake sets a function that looks at each request before it is accepted; see [Options]. Before ListenAndServe.
func (s *Server) SetHandshake(handshake func(*http.Request) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Handshake = handshake
}

// Handle adds another route beside the websocket. It panics where http.ServeMux does.
func (s *Server) Handle(rootPath string, handler http.Handler) { s.mux.Handle(rootPath, handler) }

// HandleFunc adds another route beside the websocket. It panics where http.ServeMux does.
func (s *Server) HandleFunc(rootPath string, handler func(http.ResponseWriter, *http.Request)) {
	s.mux.HandleFunc(rootPath, handler)
}

// ListenAndServeJSON is ListenAndServe with the json sub-protocol.
func (s *Server) ListenAndServeJSON() error {
	return s.ListenAndServe(jsonSubProto.NewJSONSubProtoFunc())
}

// ListenAndServeProtobuf is ListenAndServe with the protobuf sub-protocol.
func (s *Server) ListenAndServeProtobuf() error {
	return s.ListenAndServe(pbSubProto.NewPbSubProtoFunc())
}

// ListenAndServe listens on the configured address, port 0 for a free one, and serves until Close or Drain is done, when it returns
// drpc.ErrListenClosed. Any other error says why listening did not come about or ended. Without a protocol the
// sub-protocol is json; of several only the first counts.
func (s *Server) ListenAndServe(protoFunc ...proto.ProtoFunc) (err error) {
	ln, err := s.listen()
	if err != nil {
		return err
	}
	srv := s.httpServer(protoFunc)
	if !s.track(ln, srv) {
		_ = ln.Close() // the server is closed: that counts
		return drpc.ErrListenClosed
	}
	defer s.untrack(ln)
	if err = s.afterListen(ln.Addr()); err != nil {
		return errors.Join(err, ln.Close())
	}
	accepting := ln
	if s.TLSConfig() != nil {
		accepting = tls.NewListener(ln, &tls.Config{GetConfigForClient: s.currentTLS, MinVersion: tls.VersionTLS12})
	}
	if s.begin() {
		logger.Infof(context.Background(), "listening for websockets on %s %s", ln.Addr().Network(), ln.Addr())
		err = srv.Serve(accepting)
		s.untrack(ln) // nobody listens any more, whatever is waited for
		s.serving.Done()
	}
	if errors.Is(err, http.ErrServerClosed) || s.isClosing() {
		_ = s.Drain(context.Background()) // waits for the end that has begun, or the caller would hasten it by its Close
		return drpc.ErrListenClosed
	}
	return fmt.Errorf("serve: %w", err)
}

func (s *Server) listen() (net.Listener, error) {
	cfg := s.watcher.cfg
	transport, err := netproto.Get(cfg.Network)
	if err != nil {
		return nil, err
	}
	addr := cfg.ListenAddr()
	if addr == nil {
		return nil, fmt.Errorf("listen: no address in %q, port %d", cfg.ListenIP, cfg.ListenPort)
	}
	ln, err := transport.Listen(context.Background(), cfg.Network, addr.String())
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return ln, nil
}

func (s *Server) httpServer(protoFunc []proto.ProtoFunc) *http.Server {
	s.mu.Lock()
	opts := s.opts
	s.mu.Unlock()
	if len(protoFunc) > 0 && protoFunc[0] != nil {
		opts.SubProto = protoFunc[0]
	}
	timeout := s.watcher.cfg.HandshakeTimeout
	if timeout <= 0 {
		timeout = defaultHandshakeTimeout
	}
	return &http.Server{
		Handler:           s.routes(NewHandler(s.Endpoint, opts)),
		ReadHeaderTimeout: timeout, // a handshake with TLS included
		IdleTimeout:       timeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         s.connState,
		ErrorLog:          log.New(debugLog{}, "", 0),
	}
}

// routes sends requests to the websocket or to where they belong.
func (s *Server) routes(ws http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean("/"+r.URL.Path) == s.root {
			ws.ServeHTTP(w, r)
			return
		}
		if _, pattern := s.mux.Handler(r); pattern != "" || s.root != "/" {
			s.mux.ServeHTTP(w, r)
			return
		}
		ws.ServeHTTP(w, r)
	})
}

// afterListen runs the hooks that an endpoint runs when it listens by itself.
func (s *Server) afterListen(addr net.Addr) error {
	for _, p := range s.PluginContainer().GetAll() {
		after, ok := p.(drpc.AfterListenPlugin)
		if !ok {
			continue
		}
		var err error
		if stat := guarded(p, "AfterListen", func() *drpc.Status { err = after.AfterListen(addr); return nil }); stat != nil {
			err = stat.Cause()
		}
		if err != nil {
			return fmt.Errorf("plugin %s: AfterListen: %w", p.Name(), err)
		}
	}
	return nil
}

// currentTLS is the TLS configuration of the endpoint for the next connection. WebSocket needs HTTP/1.1.
func (s *Server) currentTLS(*tls.ClientHelloInfo) (*tls.Config, error) {
	cfg := s.TLSConfig()
	if cfg == nil {
		return nil, errors.New("no TLS configuration")
	}
	cfg = cfg.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	return cfg, nil
}

func (s *Server) track(ln net.Listener, srv *http.Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[ln] = srv
	return true
}

// begin has Close wait for who serves from here on, unless a hook has closed the server, which must not wait for itself.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.serving.Add(1)
	return true
}

func (s *Server) untrack(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

// connState keeps an eye on connections that have not sent a request yet.
func (s *Server) connState(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.silent, conn)
	case s.closing:
		_ = conn.Close() // too late
	default:
		s.silent[conn] = struct{}{}
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Addrs returns the addresses that the server listens on at the moment.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, 0, len(s.listeners))
	for ln := range s.listeners {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

// stop stops accepting, and lets requests to other routes come to their end.
func (s *Server) stop() error {
	s.mu.Lock()
	s.closing = true
	var servers []*http.Server
	for ln, srv := range s.listeners {
		_ = ln.Close() // it may not be served yet, so Shutdown may not know it
		servers = append(servers, srv)
	}
	for conn := range s.silent {
		_ = conn.Close() // Shutdown would wait for what it may have to say
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	var errs []error
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err, srv.Close())
		}
	}
	return errors.Join(errs...)
}

// Close stops listening and closes all sessions gracefully, with the code 1001. Requests to other routes get five seconds
// to end. From a handler or a hook of package drpc it starts that and returns. A second Close returns nil.
func (s *Server) Close() error {
	err := s.Endpoint.Close()
	s.serving.Wait()
	return err
}

// debugLog passes on what net/http has to say about connections: whoever connects can cause any number of such lines.
type debugLog struct{}

func (debugLog) Write(b []byte) (int, error) {
	logger.Debugf(context.Background(), "http: %s", b)
	return len(b), nil
}
