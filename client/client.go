package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/heartbeat"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

// RpcClient calls a service.
type RpcClient struct {
	opts     Options
	endpoint drpc.Endpoint
	pool     *pool
	budget   *budget

	picker     selector.Picker // nil if the selector is none
	filters    []selector.SelectOption
	match      func(*registry.Service, *registry.Node) bool // nil if every version is called
	idempotent map[string]bool

	closed  atomic.Bool
	ctx     context.Context // ends when Close begins
	cancel  context.CancelFunc
	sweeper sync.Once
	ended   chan struct{} // closed when Close is done
	release func() bool   // lets go of Options.Context
}

// NewRpcClient makes a client. What is wrong with its options ends the process with a message; New returns it.
func NewRpcClient(serviceName string, opt ...Option) *RpcClient {
	c, err := New(serviceName, opt...)
	if err != nil {
		logger.Fatal(context.Background(), err)
	}
	return c
}

// New makes a client. It does nothing until it is used. It returns what is wrong with the options, a file of a
// certificate, or a plugin.
func New(serviceName string, opt ...Option) (*RpcClient, error) {
	o := NewOptions(append([]Option{OptServiceName(serviceName)}, opt...)...)
	if o.err != nil {
		return nil, fmt.Errorf("client of %s: %w", o.ServiceName, o.err)
	}
	if o.Metrics != nil && o.Metrics.Options().ServiceName == "" {
		o.Metrics.Init(metrics.OptServiceName(o.ServiceName))
	}
	endpoint, err := drpc.New(o.EndpointConfig(), o.plugins()...)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", o.ServiceName, err)
	}
	switch {
	case o.TLSConfig != nil:
		endpoint.SetTLSConfig(o.TLSConfig)
	case o.TlsCertFile != "" || o.TlsKeyFile != "":
		if err = endpoint.SetTLSConfigFromFile(o.TlsCertFile, o.TlsKeyFile); err != nil {
			return nil, errors.Join(fmt.Errorf("client of %s: %w", o.ServiceName, err), endpoint.Close())
		}
	}
	if o.Selector == nil {
		if o.Registry == nil {
			o.Registry = registry.DefaultRegistry
		}
		if o.Registry == nil {
			return nil, errors.Join(fmt.Errorf("client of %s: %w", o.ServiceName, errNoRegistry), endpoint.Close())
		}
		o.Selector = selector.NewSelector(selector.OptRegistry(o.Registry))
	}
	return newClient(o, endpoint), nil
}

func newClient(o Options, endpoint drpc.Endpoint) *RpcClient {
	o.RetryTimes = max(o.RetryTimes, 1)
	c := &RpcClient{
		opts: o, endpoint: endpoint, budget: newBudget(), idempotent: make(map[string]bool),
		ended: make(chan struct{}), release: func() bool { return true },
	}
	c.pool = newPool(endpoint, o.ProtoFunc, func(node *registry.Node) {
		o.Selector.Mark(o.ServiceName, node, selector.ErrUnreachable)
	})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.picker, _ = o.Selector.(selector.Picker)
	if o.ServiceVersion != "" {
		c.match = c.matches
		c.filters = []selector.SelectOption{selector.OptWithFilter(selector.FilterVersion(o.ServiceVersion))}
	}
	for _, method := range o.Idempotent {
		c.idempotent[method] = true
	}
	if o.Metrics != nil {
		o.Metrics.Start()
	}
	if o.Context != nil {
		ready := make(chan struct{}) // the context may have ended already
		c.release = context.AfterFunc(o.Context, func() {
			<-ready
			c.Close()
		})
		close(ready)
	}
	return c
}

var errNoRegistry = errors.New("there is no registry to look nodes up in")

// plugins are those of the endpoint: the user's, then our own.
func (o *Options) plugins() []drpc.Plugin {
	list := append([]drpc.Plugin(nil), o.GlobalPlugin...)
	if o.HeartbeatTime > 0 {
		seconds := math.Ceil(o.HeartbeatTime.Seconds())
		list = append(list, heartbeat.NewPing(int(min(seconds, heartbeat.MaxRate.Seconds())), true))
	}
	if o.Metrics != nil {
		list = append(list, o.Metrics.Options().Plugins...)
	}
	return list
}

// Options returns the options. Their slices must not be changed.
func (c *RpcClient) Options() Options { return c.opts }

// Endpoint returns the endpoint.
func (c *RpcClient) Endpoint() drpc.Endpoint { return c.endpoint }

// SubRoute returns a group of routes for what servers push and call.
func (c *RpcClient) SubRoute(pathPrefix string, plugin ...drpc.Plugin) *drpc.SubRouter {
	return c.endpoint.SubRoute(pathPrefix, plugin...)
}

// RoutePush registers the methods of a controller for what servers push; see drpc.SubRouter.
func (c *RpcClient) RoutePush(ctrlStruct any, plugin ...drpc.Plugin) []string {
	return c.endpoint.RoutePush(ctrlStruct, plugin...)
}

// RoutePushFunc registers a function for what servers push; see drpc.SubRouter.
func (c *RpcClient) RoutePushFunc(pushHandleFunc any, plugin ...drpc.Plugin) string {
	return c.endpoint.RoutePushFunc(pushHandleFunc, plugin...)
}

// Close refuses what is called from now on with status 100, waits for calls under way and for handlers of what servers
// push, and closes sessions, selector and metrics; what goes wrong is logged. A second Close waits for the first. From a
// handler or a hook of the endpoint none waits.
func (c *RpcClient) Close() {
	if !c.closed.Swap(true) {
		go c.shutdown() // not here: from a handler it would have to leave off before its end
	}
	if !drpc.FromHandler() {
		<-c.ended
	}
}

func (c *RpcClient) shutdown() {
	defer close(c.ended)
	c.release()
	c.cancel()
	c.pool.close()
	err := c.endpoint.Close()
	c.pool.tasks.Wait()
	if err = errors.Join(err, c.opts.Selector.Close()); err != nil {
		logger.Warningf(context.Background(), "client of %s: closing: %v", c.opts.ServiceName, err)
	}
	if c.opts.Metrics != nil {
		c.opts.Metrics.Shutdown()
	}
}

func closedStatus() *drpc.Status {
	return drpc.NewStatus(drpc.CodeWrongConn, errClosed.Error(), fmt.Errorf("%w: %w", drpc.ErrNotExecuted, errClosed))
}

// sweepInterval is how often the client looks for nodes that have left.
const sweepInterval = 500 * time.Millisecond

// sweep closes the sessions of nodes that have left, until the client closes.
func (c *RpcClient) sweep() {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	var missing map[string]bool
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
			missing = c.sweepOnce(missing)
		}
	}
}

// sweepOnce closes the sessions of nodes that are missing and were already, and returns what is missing now. It looks
// twice because a node that registers anew may be away for a moment.
func (c *RpcClient) sweepOnce(missing map[string]bool) (missingNow map[string]bool) {
	nodes, err := c.known()
	if err != nil && !errors.Is(err, selector.ErrNotFound) && !errors.Is(err, selector.ErrNoneAvailable) {
		return missing
	}
	here := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		here[n.Address] = true
	}
	missingNow = make(map[string]bool)
	c.pool.retain(func(addr string) bool {
		missingNow[addr] = !here[addr]
		return here[addr] || !missing[addr]
	})
	return missingNow
}

// begin starts what runs while the client is used.
func (c *RpcClient) begin() {
	c.sweeper.Do(func() { c.pool.spawn(c.sweep) })
}
