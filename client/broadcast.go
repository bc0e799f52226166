package client

import (
	"context"
	"sync"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

// Reply is what one node of a broadcast has answered.
type Reply struct {
	// Node is who was asked. It is shared and must not be changed.
	Node *registry.Node
	// Result is what the call was given to decode into; nil for a push.
	Result any
	// Status is the outcome, nil for success.
	Status *drpc.Status
}

// maxBroadcast is how many nodes are talked to at the same time.
const maxBroadcast = 64

// CallAll calls every node of the service once and waits for all of them. result makes what a reply is decoded into; nil
// is for calls without a result. Nothing is tried again. The status says why there are no nodes.
func (c *RpcClient) CallAll(serviceMethod string, args any, result func() any, setting ...message.MsgSetting) ([]Reply, *drpc.Status) {
	return c.broadcast(drpc.ObservedOwnCall, serviceMethod, setting, func(sess drpc.Session, r *Reply) *drpc.Status {
		if result != nil {
			r.Result = result()
		}
		return sess.Call(serviceMethod, args, r.Result, setting...).Status()
	})
}

// PushAll pushes to every node of the service once; see CallAll.
func (c *RpcClient) PushAll(serviceMethod string, arg any, setting ...message.MsgSetting) ([]Reply, *drpc.Status) {
	return c.broadcast(drpc.ObservedOwnPush, serviceMethod, setting, func(sess drpc.Session, _ *Reply) *drpc.Status {
		return sess.Push(serviceMethod, arg, setting...)
	})
}

// broadcast sends to every node, to a number of them at the same time.
func (c *RpcClient) broadcast(kind drpc.ObservedKind, method string, settings []message.MsgSetting,
	send func(drpc.Session, *Reply) *drpc.Status) ([]Reply, *drpc.Status) {
	began, ctx := clock.Now(), contextOf(settings)
	nodes, stat := c.audience(ctx)
	if stat != nil {
		c.report(kind, method, stat, began)
		return nil, stat
	}
	replies := make([]Reply, len(nodes))
	tokens := make(chan struct{}, maxBroadcast)
	var wg sync.WaitGroup
	for i, node := range nodes {
		tokens <- struct{}{}
		wg.Go(func() {
			defer func() { <-tokens }()
			r := &replies[i]
			r.Node = node
			sess, stat := c.pool.get(ctx, node, true)
			if stat == nil {
				stat = send(sess, r)
			} else {
				c.report(kind, method, stat, began)
			}
			if !stat.OK() {
				r.Status = stat
			}
		})
	}
	wg.Wait()
	return replies, nil
}

// audience returns the nodes that a broadcast goes to, at least one.
func (c *RpcClient) audience(ctx context.Context) ([]*registry.Node, *drpc.Status) {
	if c.closed.Load() {
		return nil, closedStatus()
	}
	c.begin()
	nodes, err := c.nodes(ctx)
	if err == nil && len(nodes) == 0 {
		err = selector.ErrNotFound
	}
	if err != nil {
		return nil, c.choiceStatus(ctx, err)
	}
	return nodes, nil
}
