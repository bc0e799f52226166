package event

import (
	"context"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/eventbus"
	"github.com/osgochina/dmicro/logger"
)

// Name is the name of the plugin.
const Name = "endpoint-event"

// Plugin publishes to a bus. NewEventPlugin makes one; it may serve several endpoints.
type Plugin struct{ bus *eventbus.EventBus }

var (
	_ drpc.AfterAcceptPlugin        = (*Plugin)(nil)
	_ drpc.AfterDialPlugin          = (*Plugin)(nil)
	_ drpc.AfterDialFailPlugin      = (*Plugin)(nil)
	_ drpc.AfterDisconnectPlugin    = (*Plugin)(nil)
	_ drpc.AfterReadCallBodyPlugin  = (*Plugin)(nil)
	_ drpc.AfterReadPushBodyPlugin  = (*Plugin)(nil)
	_ drpc.AfterReadReplyBodyPlugin = (*Plugin)(nil)
)

// NewEventPlugin returns a plugin that publishes to bus, or to the default bus if that is nil.
func NewEventPlugin(bus *eventbus.EventBus) *Plugin {
	if bus == nil {
		bus = eventbus.Default()
	}
	return &Plugin{bus}
}

// Name returns the name of the plugin.
func (*Plugin) Name() string { return Name }

// AfterAccept publishes an [OnAccept].
func (p *Plugin) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	if p.bus.Hears(OnAcceptEvent) {
		p.publish(&OnAccept{Session: sess})
	}
	return nil
}

// AfterDial publishes an [OnConnect].
func (p *Plugin) AfterDial(sess drpc.EarlySession, isRedial bool) *drpc.Status {
	if p.bus.Hears(OnConnectEvent) {
		p.publish(&OnConnect{Session: sess, IsSuccess: true, IsRedial: isRedial})
	}
	return nil
}

// AfterDialFail publishes an [OnConnect] with the error.
func (p *Plugin) AfterDialFail(sess drpc.EarlySession, err error, isRedial bool) *drpc.Status {
	if p.bus.Hears(OnConnectEvent) {
		p.publish(&OnConnect{Session: sess, Err: err, IsRedial: isRedial})
	}
	return nil
}

// AfterDisconnect publishes an [OnClose].
func (p *Plugin) AfterDisconnect(sess drpc.BaseSession) *drpc.Status {
	if p.bus.Hears(OnCloseEvent) {
		p.publish(&OnClose{Session: sess})
	}
	return nil
}

// AfterReadCallBody publishes an [OnReceive].
func (p *Plugin) AfterReadCallBody(ctx drpc.ReadCtx) *drpc.Status { return p.received(ctx) }

// AfterReadPushBody publishes an [OnReceive].
func (p *Plugin) AfterReadPushBody(ctx drpc.ReadCtx) *drpc.Status { return p.received(ctx) }

// AfterReadReplyBody publishes an [OnReceive].
func (p *Plugin) AfterReadReplyBody(ctx drpc.ReadCtx) *drpc.Status { return p.received(ctx) }

func (p *Plugin) received(ctx drpc.ReadCtx) *drpc.Status {
	if p.bus.Hears(OnReceiveEvent) {
		p.publish(&OnReceive{ReadCtx: ctx})
	}
	return nil
}

// publish tells the listeners; what they return has no say in what happens at the endpoint.
func (p *Plugin) publish(e eventbus.IEvent) {
	if err := p.bus.Publish(e); err != nil {
		logger.Warningf(context.Background(), "event %s: %v", e.Name(), err)
	}
}
