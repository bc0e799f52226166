package drpc

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
)

// BaseEndpoint is what every view of an endpoint offers.
type BaseEndpoint interface {
	// Close stops listening, closes all sessions gracefully, and returns what went wrong meanwhile. It waits for
	// running handlers and pending calls, except when it is called from a handler or a hook of this framework, where
	// it starts the closing and returns. A second Close returns nil. Calls that arrive meanwhile are refused with
	// CodeBusy; Endpoint.Drain lets peers move first, so that none are.
	Close() (err error)
	// CountSession is the number of sessions that are up.
	CountSession() int
	// GetSession returns the session with this id, or nil and false.
	GetSession(sessionID string) (Session, bool)
	// RangeSession calls fn for each session that is up until fn returns false.
	RangeSession(fn func(sess Session) bool)
	// SetTLSConfig sets the TLS configuration of connections made from now on, both ways; nil is none.
	SetTLSConfig(tlsConfig *tls.Config)
	// SetTLSConfigFromFile is SetTLSConfig with a certificate and its key from PEM files, TLS 1.2 or newer. Clients
	// verify servers unless insecureSkipVerifyForClient is true. The files are read again when they have changed; see
	// TLSFiles.
	SetTLSConfigFromFile(tlsCertFile string, tlsKeyFile string, insecureSkipVerifyForClient ...bool) error
	// SetTLSFiles sets the TLS configuration of connections made from now on, both ways, from PEM files, which are read
	// again when they have changed: the certificate and the authorities. It fails as TLSFiles.Follow does, and leaves the
	// configuration as it was then.
	SetTLSFiles(files TLSFiles) error
	// TLSConfig returns the TLS configuration of the next connection, nil if there is none. It must not be changed.
	TLSConfig() *tls.Config
	// PluginContainer returns the plugins of the endpoint.
	PluginContainer() *PluginContainer
	// Stats returns what the endpoint has done and is doing. It looks at every session: call it once a second, not once
	// a message.
	Stats() EndpointStats
	// Observe makes o see every message that is over, until stop is called. Any number may observe at once.
	Observe(o Observer) (stop func())
	// Routes returns the registered handlers, sorted by path; those for unknown messages have none and come first.
	Routes() []Route
	// Measure turns the measuring of methods on, from zero unless it is on already, or off. It costs nothing while it is
	// off, as it is at first, and some percent of the throughput of quick handlers while it is on.
	Measure(on bool)
	// Methods returns what the methods have done since measuring was turned on, sorted by path; nil while it is off.
	Methods() []MethodStats
}

// EarlyEndpoint is an endpoint that routes can be registered at. The Route methods end the process with a message on
// a programming error, as do those of Router; Router.AddCall and its kin return it.
type EarlyEndpoint interface {
	BaseEndpoint
	// Router returns the root of the routes.
	Router() *Router
	// SubRoute returns a group of routes under pathPrefix with plugins of its own.
	SubRoute(pathPrefix string, plugin ...Plugin) *SubRouter
	// RouteCall registers the methods of a controller for calls and returns their service methods; see SubRouter.
	RouteCall(ctrlStruct any, plugin ...Plugin) []string
	// RouteCallFunc registers a function for calls and returns its service method; see SubRouter.
	RouteCallFunc(callHandleFunc any, plugin ...Plugin) string
	// RoutePush registers the methods of a controller for pushes and returns their service methods; see SubRouter.
	RoutePush(ctrlStruct any, plugin ...Plugin) []string
	// RoutePushFunc registers a function for pushes and returns its service method; see SubRouter.
	RoutePushFunc(pushHandleFunc any, plugin ...Plugin) string
	// SetUnknownCall sets the handler of calls that no other handler has.
	SetUnknownCall(fn func(UnknownCallCtx) (any, *status.Status), plugin ...Plugin)
	// SetUnknownPush sets the handler of pushes that no other handler has.
	SetUnknownPush(fn func(UnknownPushCtx) *status.Status, plugin ...Plugin)
}

// Endpoint is a peer: client and server at once.
type Endpoint interface {
	EarlyEndpoint
	// ListenAndServe listens on the configured address and serves until Close begins or Drain is done, when it returns
	// ErrListenClosed. Any other error says why listening did not come about or ended. Of several protocols only the
	// first counts.
	ListenAndServe(protoFunc ...socket.ProtoFunc) error
	// Dial connects to addr. It returns CodeDialFailed with the reason, or the status of a BeforeDial hook.
	Dial(addr string, protoFunc ...socket.ProtoFunc) (Session, *status.Status)
	// ServeConn serves a connection that somebody else accepted. It belongs to the endpoint from then on, also when
	// a status says that it was not taken.
	ServeConn(conn net.Conn, protoFunc ...socket.ProtoFunc) (Session, *status.Status)
	// Drain is Close for an endpoint whose peers shall not notice: it stops listening, asks each peer to move to another
	// connection, to whoever listens at the same address now, and goes on answering until the peers have gone. Shortly
	// before the deadline of ctx, a tenth of the time, at most a second, sessions of peers that have not moved are closed
	// in a moment when nothing is under way. When ctx ends it cuts off what is left and returns, also while handlers run
	// on: a *DrainError says how many calls that concerns. Without a deadline it waits for the last peer, or until ctx is
	// cancelled.
	//
	// Sessions that this endpoint has dialled serve until the others are gone, and are closed then. Drain runs all that
	// Close runs, so the endpoint is closed afterwards. A Close meanwhile stops the waiting for peers: it closes the
	// sessions as Close does. Of several Drains the first counts, and the others wait for it. From a handler or a hook of
	// this framework it starts all that and returns nil; ctx then has to outlive the handler.
	Drain(ctx context.Context) error
	// Addrs returns the addresses that the endpoint listens on at the moment.
	Addrs() []net.Addr
}

// BaseSession is a session as hooks see it that may only look.
type BaseSession interface {
	// Endpoint returns the endpoint of the session.
	Endpoint() Endpoint
	// ID is what SetID set; until then the remote address of an accepted session, the local one of a dialled one.
	ID() string
	// LocalAddr returns the address of this side: that of the connection in use until another has taken its place.
	LocalAddr() net.Addr
	// RemoteAddr returns the address of the peer.
	RemoteAddr() net.Addr
	// Swap returns values that stay with the session, also across a redial.
	Swap() *gmap.Map
}

// EarlySession is a session before its first message: what AfterDial and AfterAccept may do. The Early methods act on
// the connection without any hook, and return CodeInvalidOp at any other time.
type EarlySession interface {
	// Endpoint returns the endpoint of the session.
	Endpoint() Endpoint
	// LocalAddr returns the address of this side: to the hook that of the connection it prepares.
	LocalAddr() net.Addr
	// RemoteAddr returns the address of the peer.
	RemoteAddr() net.Addr
	// Swap returns values that stay with the session, also across a redial.
	Swap() *gmap.Map
	// SetID renames the session. Another session under that name is closed.
	SetID(newID string)
	// ControlFD calls f with the file descriptor of the connection, valid only meanwhile.
	ControlFD(f func(fd uintptr)) error
	// ModifySocket puts what fn returns in place of the connection and the protocol; nil keeps either.
	ModifySocket(fn func(conn net.Conn) (modifiedConn net.Conn, newProtoFunc proto.ProtoFunc))
	// GetProtoFunc returns the protocol of the session.
	GetProtoFunc() proto.ProtoFunc
	// EarlySend sends one message of any type and returns when it was written.
	EarlySend(mType byte, serviceMethod string, body any, stat *status.Status, setting ...message.MsgSetting) (opStat *status.Status)
	// EarlyReceive reads one message, whose body is decoded into what newArgs returns. A failure is the status of
	// the message it returns. ctx bounds the wait, else the context age of the session; FirstFrameTimeout does where
	// neither says how long.
	EarlyReceive(newArgs message.NewBodyFunc, ctx ...context.Context) (input message.Message)
	// SetEarlyReadLimit bounds the messages that Early methods read over this connection from now on, in bytes; 0 is
	// MaxMessageSize, above which it never goes. A peer that is not known yet so cannot send more than what it is asked
	// for takes. The limit ends when the session is up; at any other time the method does nothing.
	SetEarlyReadLimit(maxMessageSize uint32)
	// EarlyCall sends a CALL and waits for its REPLY, as long as EarlyReceive does.
	EarlyCall(serviceMethod string, args, reply any, callSetting ...message.MsgSetting) (opStat *status.Status)
	// EarlyReply answers a message of EarlyReceive.
	EarlyReply(req message.Message, body any, stat *status.Status, setting ...message.MsgSetting) (opStat *status.Status)
	// RawPush sends a PUSH without hooks, at any time.
	RawPush(serviceMethod string, args any, setting ...message.MsgSetting) (opStat *status.Status)
	// SessionAge returns how long the session may live; 0 is for ever.
	SessionAge() time.Duration
	// ContextAge returns the bound of calls; 0 is none.
	ContextAge() time.Duration
	// SetSessionAge changes how long the session may live, counted from now; 0 is for ever.
	SetSessionAge(duration time.Duration)
	// SetContextAge changes the bound of calls; 0 is none.
	SetContextAge(duration time.Duration)
}

// CtxSession is a session as handlers see it.
type CtxSession interface {
	// ID returns the name of the session: what SetID set, else an address.
	ID() string
	// LocalAddr returns the address of this side.
	LocalAddr() net.Addr
	// RemoteAddr returns the address of the peer.
	RemoteAddr() net.Addr
	// Swap returns values that stay with the session, also across a redial.
	Swap() *gmap.Map
	// CloseNotify returns a channel that closes when Close begins or the connection is lost for good, not on a loss that
	// a redial mends. Where the last redial failed, a later call may bring the session back: from then on CloseNotify
	// returns another channel.
	CloseNotify() <-chan struct{}
	// Health reports whether a call has a chance at once: the connection is up, or was given up and the call would
	// redial. It is false while a redial is under way.
	Health() bool
	// AsyncCall starts a call and returns. The call is also sent on callCmdChan when it is done, which must have a
	// buffer; nil makes one. It panics on an unbuffered channel.
	AsyncCall(serviceMethod string, args any, result any, callCmdChan chan<- CallCmd, setting ...message.MsgSetting) CallCmd
	// Call calls and waits for the reply, which is decoded into result, a pointer or nil. It ends at the latest with
	// the context of WithContext, the context age, or the session.
	Call(serviceMethod string, args any, result any, setting ...message.MsgSetting) CallCmd
	// Push sends a message that is not answered and returns when it was handed to the kernel.
	Push(serviceMethod string, args any, setting ...message.MsgSetting) *status.Status
	// SessionAge returns how long the session may live; 0 is for ever.
	SessionAge() time.Duration
	// ContextAge returns the bound of calls; 0 is none.
	ContextAge() time.Duration
}

// Session is one connection to a peer, kept up by redialling where configured. Safe for concurrent use.
type Session interface {
	CtxSession
	// Endpoint returns the endpoint of the session.
	Endpoint() Endpoint
	// SetID renames the session. Another session under that name is closed: the new login counts.
	SetID(newID string)
	// Close stops new calls, waits for running handlers and pending calls, and closes the connection once the peer
	// has taken all that was sent, for which it gets at most five seconds. A peer that has called gets at most one more
	// to close as well, as replies may be on their way. From a handler or a hook it starts that and returns. A second
	// Close returns nil.
	Close() error
	// Stats returns what the session has done and is doing.
	Stats() SessionStats
}

// EarlyCtx is what every context of a message offers.
type EarlyCtx interface {
	// Endpoint returns the endpoint of the session.
	Endpoint() Endpoint
	// Session returns the session that the message belongs to.
	Session() CtxSession
	// IP returns the address of the peer, with port.
	IP() string
	// RealIP returns the address of the first caller as the peer states it in MetaRealIP, else IP.
	RealIP() string
	// Swap returns values for this message, at first a copy of those of the session.
	Swap() *gmap.Map
	// Context ends with the session, and with the context age where one is set.
	Context() context.Context
}

// WriteCtx is the context of the hooks around writing a message.
type WriteCtx interface {
	EarlyCtx
	// Output is the message to write.
	Output() message.Message
	// StatusOK reports whether Status is nil or OK.
	StatusOK() bool
	// Status returns the status of the message, nil if it has none.
	Status() *status.Status
}

type inputCtx interface {
	EarlyCtx
	// CopyMeta returns a copy of the meta of the message.
	CopyMeta() *gmap.Map
	// CostTime is the time since the message arrived.
	CostTime() time.Duration
	// PeekMeta returns one value of the meta, nil if there is none.
	PeekMeta(key string) any
	// ResetServiceMethod changes where the message is routed to; only hooks before the lookup can.
	ResetServiceMethod(string)
	Seq() int32
	ServiceMethod() string
	// VisitMeta calls f for each pair of the meta until it returns false.
	VisitMeta(f func(key, value any) bool)
}

// ReadCtx is the context of the hooks around reading a message.
type ReadCtx interface {
	inputCtx
	// Input is the message read.
	Input() message.Message
	// StatusOK reports whether Status is nil or OK.
	StatusOK() bool
	// Status returns the status of the message, nil if it has none.
	Status() *status.Status
}

// PushCtx is the context of the handler of a push.
type PushCtx interface {
	inputCtx
	// GetBodyCodec returns the codec of the argument.
	GetBodyCodec() byte
}

// CallCtx is the context of the handler of a call.
type CallCtx interface {
	inputCtx
	// Input is the call as it came.
	Input() message.Message
	// GetBodyCodec returns the codec of the argument.
	GetBodyCodec() byte
	// Output is the reply.
	Output() message.Message
	// ReplyBodyCodec decides the codec of the reply and returns it: that of SetBodyCodec, else the one the caller
	// accepts, else that of the argument.
	ReplyBodyCodec() byte
	// SetBodyCodec sets the codec of the reply.
	SetBodyCodec(byte)
	// SetMeta sets one pair of the reply's meta.
	SetMeta(key, value string)
	// AddTFilterId appends transfer filters to those of the call; an unknown id fails the reply.
	AddTFilterId(filterID ...byte)
}

// UnknownPushCtx is the context of the handler of pushes that no other handler has.
type UnknownPushCtx interface {
	inputCtx
	// GetBodyCodec returns the codec of the body.
	GetBodyCodec() byte
	// InputBodyBytes returns the body as it came.
	InputBodyBytes() []byte
	// BuildBody decodes the body into v and returns its codec.
	BuildBody(v any) (bodyCodec byte, err error)
}

// UnknownCallCtx is the context of the handler of calls that no other handler has.
type UnknownCallCtx interface {
	UnknownPushCtx
	// SetBodyCodec sets the codec of the reply.
	SetBodyCodec(byte)
	// SetMeta sets one pair of the reply's meta.
	SetMeta(key, value string)
	// AddTFilterId appends transfer filters to those of the call; an unknown id fails the reply.
	AddTFilterId(filterID ...byte)
}

// CallCmd is a call under way or done. Safe for concurrent use.
type CallCmd interface {
	// TraceEndpoint returns the endpoint that calls.
	TraceEndpoint() (e Endpoint, found bool)
	// TraceSession returns the session that the call goes over.
	TraceSession() (sess Session, found bool)
	// Context is that of the message.
	Context() context.Context
	// Output is the message sent.
	Output() message.Message
	// StatusOK reports whether Status is nil or OK. It does not wait: before Done the answer is not final.
	StatusOK() bool
	// Status returns the outcome. It does not wait: before Done it is not final.
	Status() *Status
	// Done returns a channel that closes when the call is done.
	Done() <-chan struct{}
	// Reply waits and returns the result and the status.
	Reply() (any, *Status)
	// InputBodyCodec waits and returns the codec of the reply, 0 if none came.
	InputBodyCodec() byte
	// InputMeta waits and returns the meta of the reply; never nil.
	InputMeta() *gmap.Map
	// CostTime waits and returns how long the call took.
	CostTime() time.Duration
}
