package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

// choice is a node chosen for one attempt. Done is called once with how it went.
type choice struct {
	node *registry.Node
	pick selector.Choice // of a Picker
	mark func(error)     // of any other selector
}

func (c *choice) done(o selector.Outcome) {
	if c.mark == nil {
		c.pick.Done(o)
		return
	}
	switch o {
	case selector.Succeeded:
		c.mark(nil)
	case selector.Failed:
		c.mark(errFailed)
	case selector.Unreachable:
		c.mark(selector.ErrUnreachable)
	}
}

var errFailed = errors.New("the call failed")

// choose chooses a node, if possible none of those that were tried.
func (c *RpcClient) choose(ctx context.Context, tried []*registry.Node) (choice, error) {
	if c.picker != nil {
		pick, err := c.picker.Pick(ctx, c.opts.ServiceName, selector.Request{Avoid: tried, Match: c.match})
		return choice{node: pick.Node, pick: pick}, err
	}
	node, err := c.selectNode(ctx, tried)
	if err != nil && len(tried) > 0 {
		node, err = c.selectNode(ctx, nil)
	}
	if err != nil {
		return choice{}, err
	}
	return choice{node: node, mark: func(err error) { c.opts.Selector.Mark(c.opts.ServiceName, node, err) }}, nil
}

// selectNode asks a selector that is no Picker for a node that was not tried.
func (c *RpcClient) selectNode(ctx context.Context, tried []*registry.Node) (*registry.Node, error) {
	opts := append(slices.Clip(c.filters), within(ctx))
	if len(tried) > 0 {
		opts = append(opts, selector.OptWithFilter(without(tried)))
	}
	next, err := c.opts.Selector.Select(c.opts.ServiceName, opts...)
	if err != nil {
		return nil, err
	}
	return next()
}

// within bounds a look-up.
func within(ctx context.Context) selector.SelectOption {
	return func(o *selector.SelectOptions) { o.Context = ctx }
}

// without leaves nodes out.
func without(nodes []*registry.Node) selector.Filter {
	return func(services []*registry.Service) []*registry.Service {
		for _, s := range services {
			s.Nodes = slices.DeleteFunc(s.Nodes, func(n *registry.Node) bool { return contains(nodes, n) })
		}
		return slices.DeleteFunc(services, func(s *registry.Service) bool { return len(s.Nodes) == 0 })
	}
}

func contains(nodes []*registry.Node, node *registry.Node) bool {
	for _, n := range nodes {
		if n.Address == node.Address {
			return true
		}
	}
	return false
}

// choiceStatus is the status of a call for which no node could be chosen.
func (c *RpcClient) choiceStatus(ctx context.Context, err error) *drpc.Status {
	cause := fmt.Errorf("%w: %w", drpc.ErrNotExecuted, err)
	switch {
	case ctx.Err() != nil:
		return drpc.NewStatus(drpc.CodeHandleTimeout, drpc.CodeText(drpc.CodeHandleTimeout), cause)
	case errors.Is(err, selector.ErrNotFound):
		return drpc.NewStatus(drpc.CodeInternalServerError,
			fmt.Sprintf("dmicro.client service %s: not found", c.opts.ServiceName), cause)
	}
	return drpc.NewStatus(drpc.CodeInternalServerError,
		fmt.Sprintf("dmicro.client error selecting %s node: %v", c.opts.ServiceName, err), cause)
}

// outcomeOf is what the outcome of a call says about its node.
func outcomeOf(stat *drpc.Status) selector.Outcome {
	switch stat.Code() {
	case drpc.CodeDialFailed:
		return selector.Unreachable
	case drpc.CodeConnClosed:
		if drpc.NotExecuted(stat) { // this side was closing the session
			return selector.Ignored
		}
		return selector.Failed
	case drpc.CodeHandleTimeout, drpc.CodeBusy, drpc.CodeInternalServerError:
		return selector.Failed
	case drpc.CodeWriteFailed:
		return selector.Ignored
	}
	return selector.Succeeded
}

// nodes returns all nodes that would be chosen from: those that the registry has, or where it cannot say, those that are
// chosen from at the moment.
func (c *RpcClient) nodes(ctx context.Context) ([]*registry.Node, error) {
	if r := c.opts.Selector.Options().Registry; r != nil {
		services, err := r.GetService(c.opts.ServiceName, registry.OptGetContext(ctx))
		if err == nil {
			return c.nodesOf(services), nil
		}
	}
	return c.available()
}

// known returns the nodes that may be chosen from, those that the selector leaves out for a while included if it can tell.
func (c *RpcClient) known() ([]*registry.Node, error) {
	if c.picker == nil {
		return c.available()
	}
	services, err := c.picker.Services(c.ctx, c.opts.ServiceName)
	return c.nodesOf(services), err
}

// available returns the nodes that are chosen from at the moment.
func (c *RpcClient) available() (nodes []*registry.Node, err error) {
	capture := func(services []*registry.Service) selector.Next {
		nodes = c.nodesOf(services)
		return func() (*registry.Node, error) { return nil, selector.ErrNoneAvailable }
	}
	_, err = c.opts.Selector.Select(c.opts.ServiceName, selector.OptWithStrategy(capture), within(c.ctx))
	return nodes, err
}

// nodesOf returns the nodes of the version that is called, each address once.
func (c *RpcClient) nodesOf(services []*registry.Service) (nodes []*registry.Node) {
	seen := make(map[string]bool)
	for _, s := range services {
		for _, n := range s.Nodes {
			if c.matches(s, n) && !seen[n.Address] {
				seen[n.Address] = true
				nodes = append(nodes, n)
			}
		}
	}
	return nodes
}

// matches reports whether the service has the version that is called.
func (c *RpcClient) matches(s *registry.Service, _ *registry.Node) bool {
	return c.opts.ServiceVersion == "" || s.Version == c.opts.ServiceVersion
}
