package event

import (
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/eventbus"
)

// Names of the events.
const (
	// OnAcceptEvent is the name of [OnAccept].
	OnAcceptEvent = "endpoint_accept"
	// OnReceiveEvent is the name of [OnReceive].
	OnReceiveEvent = "endpoint_receive"
	// OnConnectEvent is the name of [OnConnect].
	OnConnectEvent = "endpoint_connect"
	// OnCloseEvent is the name of [OnClose].
	OnCloseEvent = "endpoint_close"
)

// OnAccept says that a connection was accepted. Nothing was read from it yet.
type OnAccept struct {
	eventbus.Event
	// Session is the session that the connection will have, if no other plugin refuses it.
	Session drpc.EarlySession
}

// OnConnect says that a dial or a redial has come to an end, one way or the other.
type OnConnect struct {
	eventbus.Event
	// Session is the session that was dialled. Where the dial failed it has no connection.
	Session drpc.EarlySession
	// IsSuccess says that the connection is up. Nothing was sent over it yet.
	IsSuccess bool
	// Err is why all attempts failed, nil if one did not.
	Err error
	// IsRedial says that the session was up before.
	IsRedial bool
}

// OnReceive says that a call, a push or the reply of a successful call was received and decoded.
type OnReceive struct {
	eventbus.Event
	// ReadCtx is the context of the message. It is lent to the listeners and must not be kept.
	ReadCtx drpc.ReadCtx
}

// OnClose says that a session is over for good.
type OnClose struct {
	eventbus.Event
	// Session is the session that is over.
	Session drpc.BaseSession
}

var (
	_ eventbus.IEvent = (*OnAccept)(nil)
	_ eventbus.IEvent = (*OnConnect)(nil)
	_ eventbus.IEvent = (*OnReceive)(nil)
	_ eventbus.IEvent = (*OnClose)(nil)
)

// Name returns [OnAcceptEvent].
func (*OnAccept) Name() string { return OnAcceptEvent }

// Name returns [OnConnectEvent].
func (*OnConnect) Name() string { return OnConnectEvent }

// Name returns [OnReceiveEvent].
func (*OnReceive) Name() string { return OnReceiveEvent }

// Name returns [OnCloseEvent].
func (*OnClose) Name() string { return OnCloseEvent }
