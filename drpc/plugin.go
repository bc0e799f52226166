package drpc

import (
	"net"
)

// Plugin is what every plugin has: a name, unique in its container. It takes part in what happens by implementing
// any of the hook interfaces below. Hooks may be called from many goroutines at once.
type Plugin interface {
	Name() string
}

// BeforeNewEndpointPlugin runs before the configuration is checked; it may change it and add plugins. An error fails
// the making of the endpoint.
type BeforeNewEndpointPlugin interface {
	Plugin
	BeforeNewEndpoint(*EndpointConfig, *PluginContainer) error
}

// AfterNewEndpointPlugin runs when the endpoint is made; it may register routes. An error fails the making.
type AfterNewEndpointPlugin interface {
	Plugin
	AfterNewEndpoint(EarlyEndpoint) error
}

// BeforeCloseEndpointPlugin runs first when the endpoint closes. An error becomes part of the error of Close.
type BeforeCloseEndpointPlugin interface {
	Plugin
	BeforeCloseEndpoint(Endpoint) error
}

// AfterCloseEndpointPlugin runs last when the endpoint closes, with the error so far. An error becomes part of the
// error of Close.
type AfterCloseEndpointPlugin interface {
	Plugin
	AfterCloseEndpoint(Endpoint, error) error
}

// AfterRegRouterPlugin runs for each handler that is registered. An error fails the registration.
type AfterRegRouterPlugin interface {
	Plugin
	AfterRegRouter(*Handler) error
}

// AfterListenPlugin runs when a listener is bound, before its first Accept. An error fails ListenAndServe.
type AfterListenPlugin interface {
	Plugin
	AfterListen(net.Addr) error
}

// BeforeDialPlugin runs once before a dial or a redial. A status fails the dial; on a redial it is ignored.
type BeforeDialPlugin interface {
	Plugin
	BeforeDial(addr string, isRedial bool) *Status
}

// AfterDialPlugin runs when the connection is up and nothing was sent yet; the Early methods of the session work. A
// status closes the connection and counts as a failed attempt.
type AfterDialPlugin interface {
	Plugin
	AfterDial(sess EarlySession, isRedial bool) *Status
}

// AfterDialFailPlugin runs when all attempts failed. The session has no connection: its addresses are those of the last
// one, empty if there never was one. A status is logged.
type AfterDialFailPlugin interface {
	Plugin
	AfterDialFail(sess EarlySession, err error, isRedial bool) *Status
}

// AfterAcceptPlugin runs when a connection was accepted and nothing was read yet; the Early methods of the session
// work. A status closes the session.
type AfterAcceptPlugin interface {
	Plugin
	AfterAccept(EarlySession) *Status
}

// BeforeWriteCallPlugin runs before a call is encoded. A status ends the call with nothing sent.
type BeforeWriteCallPlugin interface {
	Plugin
	BeforeWriteCall(WriteCtx) *Status
}

// AfterWriteCallPlugin runs when the call was written, before its reply is looked at. A status is logged.
type AfterWriteCallPlugin interface {
	Plugin
	AfterWriteCall(WriteCtx) *Status
}

// BeforeWriteReplyPlugin runs before a reply is encoded, also one with an error. A status is logged.
type BeforeWriteReplyPlugin interface {
	Plugin
	BeforeWriteReply(WriteCtx) *Status
}

// AfterWriteReplyPlugin runs when a reply was written. A status is logged.
type AfterWriteReplyPlugin interface {
	Plugin
	AfterWriteReply(WriteCtx) *Status
}

// BeforeWritePushPlugin runs before a push is encoded. A status becomes the result of Push.
type BeforeWritePushPlugin interface {
	Plugin
	BeforeWritePush(WriteCtx) *Status
}

// AfterWritePushPlugin runs when a push was written. A status is logged.
type AfterWritePushPlugin interface {
	Plugin
	AfterWritePush(WriteCtx) *Status
}

// BeforeReadHeaderPlugin runs before the session waits for the next message. An error ends the session.
type BeforeReadHeaderPlugin interface {
	Plugin
	BeforeReadHeader(EarlyCtx) error
}

// AfterReadCallHeaderPlugin runs before the handler of a call is looked up; it may change the service method. A
// status becomes the reply.
type AfterReadCallHeaderPlugin interface {
	Plugin
	AfterReadCallHeader(ReadCtx) *Status
}

// BeforeReadCallBodyPlugin runs before the argument of a call is decoded; it may replace the target. A status becomes
// the reply.
type BeforeReadCallBodyPlugin interface {
	Plugin
	BeforeReadCallBody(ReadCtx) *Status
}

// AfterReadCallBodyPlugin runs before the handler of a call. A status becomes the reply.
type AfterReadCallBodyPlugin interface {
	Plugin
	AfterReadCallBody(ReadCtx) *Status
}

// AfterReadPushHeaderPlugin runs before the handler of a push is looked up. A status drops the push.
type AfterReadPushHeaderPlugin interface {
	Plugin
	AfterReadPushHeader(ReadCtx) *Status
}

// BeforeReadPushBodyPlugin runs before the argument of a push is decoded. A status drops the push.
type BeforeReadPushBodyPlugin interface {
	Plugin
	BeforeReadPushBody(ReadCtx) *Status
}

// AfterReadPushBodyPlugin runs before the handler of a push. A status drops the push.
type AfterReadPushBodyPlugin interface {
	Plugin
	AfterReadPushBody(ReadCtx) *Status
}

// AfterReadReplyHeaderPlugin runs when a reply has found its call. A status becomes that of the call.
type AfterReadReplyHeaderPlugin interface {
	Plugin
	AfterReadReplyHeader(ReadCtx) *Status
}

// BeforeReadReplyBodyPlugin runs before the result is decoded. A status becomes that of the call.
type BeforeReadReplyBodyPlugin interface {
	Plugin
	BeforeReadReplyBody(ReadCtx) *Status
}

// AfterReadReplyBodyPlugin runs when the result of a successful call was decoded. A status becomes that of the call.
type AfterReadReplyBodyPlugin interface {
	Plugin
	AfterReadReplyBody(ReadCtx) *Status
}

// AfterDisconnectPlugin runs when a session is over for good, not when it is redialled. A status is logged.
type AfterDisconnectPlugin interface {
	Plugin
	AfterDisconnect(BaseSession) *Status
}
