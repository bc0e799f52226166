package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/heartbeat"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/registry"
)

// maxDeregister bounds how long leaving waits for the registry.
const maxDeregister = 3 * time.Second

// RpcServer is an endpoint that clients find.
type RpcServer struct {
	opts     Options
	endpoint drpc.Endpoint

	leaving atomic.Bool
	started sync.Once     // of the metrics
	left    chan struct{} // closed when Shutdown is done
	leftErr error         // what Shutdown returns, after left
	release func() bool   // lets go of Options.Context
}

// NewRpcServer makes a server. What is wrong with its options ends the process with a message; New returns it.
func NewRpcServer(serviceName string, opt ...Option) *RpcServer {
	s, err := New(serviceName, opt...)
	if err != nil {
		logger.Fatal(context.Background(), err)
	}
	return s
}

// New makes a server, ready for routes and then for ListenAndServe. It returns what is wrong with the options, as
// AddressError for one, with a file of a certificate, or with a plugin.
func New(serviceName string, opt ...Option) (*RpcServer, error) {
	o := NewOptions(append([]Option{OptServiceName(serviceName)}, opt...)...)
	if o.Registry == nil && !o.Unregistered {
		o.Registry = registry.DefaultRegistry
	}
	if o.Metrics != nil && o.Metrics.Options().ServiceName == "" {
		o.Metrics.Init(metrics.OptServiceName(o.ServiceName))
	}
	cfg, err := o.endpointConfig()
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", o.ServiceName, err)
	}
	endpoint, err := drpc.New(cfg, o.plugins()...)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", o.ServiceName, err)
	}
	s := &RpcServer{opts: o, endpoint: endpoint, left: make(chan struct{}), release: func() bool { return true }}
	switch {
	case o.TLSConfig != nil:
		endpoint.SetTLSConfig(o.TLSConfig)
	case o.TlsCertFile != "" || o.TlsKeyFile != "":
		if err = endpoint.SetTLSConfigFromFile(o.TlsCertFile, o.TlsKeyFile); err != nil {
			return nil, errors.Join(fmt.Errorf("server %s: %w", o.ServiceName, err), endpoint.Close())
		}
	}
	if o.Context != nil {
		ready := make(chan struct{}) // the context may have ended already
		s.release = context.AfterFunc(o.Context, func() {
			<-ready
			s.Close()
		})
		close(ready)
	}
	return s, nil
}

// plugins are those of the endpoint: the user's, then our own.
func (o *Options) plugins() []drpc.Plugin {
	list := append([]drpc.Plugin(nil), o.GlobalPlugin...)
	if o.EnableHeartbeat {
		list = append(list, heartbeat.NewPong())
	}
	if o.Metrics != nil {
		list = append(list, o.Metrics.Options().Plugins...)
	}
	if o.Registry != nil && !o.Unregistered {
		list = append(list, registry.NewPlugin(o.Registry, registry.PluginConfig{
			ServiceName: o.ServiceName, Version: o.ServiceVersion, Metadata: o.Metadata, Advertise: o.Advertise,
			StopTimeout: min(maxDeregister, o.StopTimeout/3),
		}))
	}
	return list
}

// Options returns the options. Their slices and maps must not be changed.
func (s *RpcServer) Options() Options { return s.opts }

// Endpoint returns the endpoint.
func (s *RpcServer) Endpoint() drpc.Endpoint { return s.endpoint }

// Router returns the root of the routes.
func (s *RpcServer) Router() *drpc.Router { return s.endpoint.Router() }

// SubRoute returns a group of routes with plugins of its own.
func (s *RpcServer) SubRoute(pathPrefix string, plugin ...drpc.Plugin) *drpc.SubRouter {
	return s.endpoint.SubRoute(pathPrefix, plugin...)
}

// RouteCall registers the methods of a controller for calls; see drpc.SubRouter.
func (s *RpcServer) RouteCall(ctrlStruct any, plugin ...drpc.Plugin) []string {
	return s.endpoint.RouteCall(ctrlStruct, plugin...)
}

// RouteCallFunc registers a function for calls; see drpc.SubRouter.
func (s *RpcServer) RouteCallFunc(callHandleFunc any, plugin ...drpc.Plugin) string {
	return s.endpoint.RouteCallFunc(callHandleFunc, plugin...)
}

// RoutePush registers the methods of a controller for pushes; see drpc.SubRouter.
func (s *RpcServer) RoutePush(ctrlStruct any, plugin ...drpc.Plugin) []string {
	return s.endpoint.RoutePush(ctrlStruct, plugin...)
}

// RoutePushFunc registers a function for pushes; see drpc.SubRouter.
func (s *RpcServer) RoutePushFunc(pushHandleFunc any, plugin ...drpc.Plugin) string {
	return s.endpoint.RoutePushFunc(pushHandleFunc, plugin...)
}

// SetUnknownCall sets the handler of calls that no other handler has.
func (s *RpcServer) SetUnknownCall(fn func(drpc.UnknownCallCtx) (any, *drpc.Status), plugin ...drpc.Plugin) {
	s.endpoint.SetUnknownCall(fn, plugin...)
}

// SetUnknownPush sets the handler of pushes that no other handler has.
func (s *RpcServer) SetUnknownPush(fn func(drpc.UnknownPushCtx) *drpc.Status, plugin ...drpc.Plugin) {
	s.endpoint.SetUnknownPush(fn, plugin...)
}

// CountSession is the number of sessions that are up.
func (s *RpcServer) CountSession() int { return s.endpoint.CountSession() }

// GetSession returns the session with this id.
func (s *RpcServer) GetSession(sessionId string) (drpc.Session, bool) {
	return s.endpoint.GetSession(sessionId)
}

// Addrs returns the addresses that the server listens on.
func (s *RpcServer) Addrs() []net.Addr { return s.endpoint.Addrs() }

// Ready reports whether the server listens and is not about to leave: what a readiness probe wants to know.
func (s *RpcServer) Ready() bool { return !s.leaving.Load() && len(s.endpoint.Addrs()) > 0 }

// ListenAndServe listens, registers, and serves until the server leaves, when it returns drpc.ErrListenClosed. Any other
// error says why listening did not come about. A registry that cannot be reached is none: the server registers when it
// can. Without a protocol that of the options counts.
func (s *RpcServer) ListenAndServe(protoFunc ...proto.ProtoFunc) error {
	s.begin()
	return s.endpoint.ListenAndServe(s.protocol(protoFunc)...)
}

// ServeConn serves a connection that somebody else accepted; see drpc.Endpoint.
func (s *RpcServer) ServeConn(conn net.Conn, protoFunc ...proto.ProtoFunc) (drpc.Session, *drpc.Status) {
	s.begin()
	return s.endpoint.ServeConn(conn, s.protocol(protoFunc)...)
}

// begin starts the metrics, unless the server is leaving already.
func (s *RpcServer) begin() {
	s.started.Do(func() {
		if s.opts.Metrics != nil && !s.leaving.Load() {
			s.opts.Metrics.Start()
		}
	})
}

func (s *RpcServer) protocol(given []proto.ProtoFunc) []proto.ProtoFunc {
	if len(given) == 0 && s.opts.ProtoFunc != nil {
		return []proto.ProtoFunc{s.opts.ProtoFunc}
	}
	return given
}

// Close is Shutdown within Options.StopTimeout; what goes wrong is logged.
func (s *RpcServer) Close() {
	// Not cancelled on return: called from a handler, Shutdown goes on behind it.
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.StopTimeout)
	time.AfterFunc(s.opts.StopTimeout, cancel)
	if err := s.Shutdown(ctx); err != nil {
		logger.Warningf(ctx, "server %s: shutting down: %v", s.opts.ServiceName, err)
	}
}

// Shutdown leaves in this order: the server is not ready any more, it is taken out of the registry, it stops listening
// and asks its peers to move, it answers what still comes until they have or Options.MoveTimeout is over, finishes what is
// at work, and cuts what is left when ctx ends. It returns what went wrong, as drpc.DrainError for what was cut. Called
// again it waits for the first one, or until its own ctx ends, and returns that error. From a handler or a hook of the
// endpoint none waits; what goes wrong then is logged.
func (s *RpcServer) Shutdown(ctx context.Context) error {
	first, waits := !s.leaving.Swap(true), !drpc.FromHandler()
	if first {
		go s.leave(ctx, !waits) // not here: from a handler it would have to leave off before its end
	}
	switch {
	case !waits:
		return nil
	case first: // which ends with ctx by itself, and says how
		<-s.left
		return s.leftErr
	}
	select {
	case <-s.left:
		return s.leftErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave is what the first Shutdown does. Where nobody waits for its outcome, it is to be logged.
func (s *RpcServer) leave(ctx context.Context, logged bool) {
	defer close(s.left)
	s.release()
	move := time.AfterFunc(s.opts.MoveTimeout, func() { _ = s.endpoint.Close() }) // ends the waiting for peers; Drain has the error
	defer move.Stop()
	s.leftErr = s.endpoint.Drain(ctx)
	s.started.Do(func() {}) // from now on there is nothing to start
	if s.opts.Metrics != nil {
		s.opts.Metrics.Shutdown()
	}
	if s.leftErr != nil && logged {
		logger.Warningf(ctx, "server %s: shutting down: %v", s.opts.ServiceName, s.leftErr)
	}
}
