package proxy

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

// Name is the name of the plugins of this package. An endpoint can have one.
const Name = "proxy"

const (
	// MetaHops is the meta key that counts the proxies that a message has passed.
	MetaHops = "X-Proxy-Hops"
	// MaxHops is how many proxies a message may pass. One that would pass more is going round in circles and is
	// refused with CodeBadGateway.
	MaxHops = 16
)

// Forwarder is where calls and pushes go on: a session, a client, or what the program makes of them.
type Forwarder interface {
	CallForwarder
	PushForwarder
}

// CallForwarder forwards calls.
type CallForwarder interface {
	Call(uri string, arg any, result any, setting ...message.MsgSetting) drpc.CallCmd
}

// PushForwarder forwards pushes.
type PushForwarder interface {
	Push(uri string, arg any, setting ...message.MsgSetting) *drpc.Status
}

// Label is what a message is chosen a forwarder for by.
type Label struct {
	// SessionID is the id of the session that the message came over.
	SessionID string
	// RealIP is the address of the first caller, as its peer states it.
	RealIP string
	// ServiceMethod is what is called.
	ServiceMethod string
}

type proxy struct {
	call func(*Label) CallForwarder
	push func(*Label) PushForwarder
}

var _ drpc.AfterNewEndpointPlugin = (*proxy)(nil)

// NewProxyPlugin returns a plugin that forwards calls and pushes to what fn chooses. Nil refuses a message with
// CodeNotFound. fn may be called for several messages at once and must not keep the label.
func NewProxyPlugin(fn func(*Label) Forwarder) drpc.Plugin {
	return &proxy{
		call: func(l *Label) CallForwarder { return fn(l) },
		push: func(l *Label) PushForwarder { return fn(l) },
	}
}

// NewProxyCallPlugin is NewProxyPlugin for calls alone.
func NewProxyCallPlugin(fn func(*Label) CallForwarder) drpc.Plugin { return &proxy{call: fn} }

// NewProxyPushPlugin is NewProxyPlugin for pushes alone.
func NewProxyPushPlugin(fn func(*Label) PushForwarder) drpc.Plugin { return &proxy{push: fn} }

// Name returns the name of the plugin.
func (*proxy) Name() string { return Name }

// AfterNewEndpoint takes what no handler has.
func (p *proxy) AfterNewEndpoint(ep drpc.EarlyEndpoint) error {
	if p.call != nil {
		ep.SetUnknownCall(p.forwardCall)
	}
	if p.push != nil {
		ep.SetUnknownPush(p.forwardPush)
	}
	return nil
}

func (p *proxy) forwardCall(ctx drpc.UnknownCallCtx) (any, *drpc.Status) {
	settings, err := passOn(ctx)
	if err != nil {
		return nil, badGateway(err)
	}
	to := p.call(labelOf(ctx))
	if to == nil {
		return nil, nobody()
	}
	var reply []byte
	cmd := to.Call(ctx.ServiceMethod(), ctx.InputBodyBytes(), &reply, settings...)
	if cmd == nil {
		return nil, badGateway(errNoCall)
	}
	<-cmd.Done()
	passBack(ctx, cmd)
	if stat := cmd.Status(); !stat.OK() {
		return nil, statusOf(stat)
	}
	if id := cmd.InputBodyCodec(); id != 0 {
		ctx.SetBodyCodec(id)
	}
	return reply, nil
}

func (p *proxy) forwardPush(ctx drpc.UnknownPushCtx) *drpc.Status {
	settings, err := passOn(ctx)
	if err != nil {
		return badGateway(err)
	}
	to := p.push(labelOf(ctx))
	if to == nil {
		return nobody()
	}
	return statusOf(to.Push(ctx.ServiceMethod(), ctx.InputBodyBytes(), settings...))
}

var (
	errNoCall  = errors.New("the forwarder has made no call")
	errTooFar  = fmt.Errorf("the message has passed %d proxies", MaxHops)
	errBadHops = errors.New("the meta " + MetaHops + " is no number of proxies")
)

func labelOf(ctx drpc.UnknownPushCtx) *Label {
	return &Label{SessionID: ctx.Session().ID(), RealIP: ctx.RealIP(), ServiceMethod: ctx.ServiceMethod()}
}

// notPassed are meta keys whose meaning ends at the proxy: the context carries the time that is left, heartbeats are
// between neighbours, and the rest is set anew.
var notPassed = map[string]bool{drpc.MetaTimeout: true, "hb_": true, MetaHops: true}

// passOn makes the settings of the message to send of the one that came.
func passOn(ctx drpc.UnknownPushCtx) ([]message.MsgSetting, error) {
	hops, err := hopsOf(ctx)
	if err != nil {
		return nil, err
	}
	meta := map[string]any{MetaHops: strconv.Itoa(hops + 1)}
	ctx.VisitMeta(func(key, value any) bool {
		if k := fmt.Sprint(key); !notPassed[k] {
			meta[k] = value
		}
		return true
	})
	if _, ok := meta[drpc.MetaRealIP]; !ok {
		meta[drpc.MetaRealIP] = ctx.IP()
	}
	codec := ctx.GetBodyCodec()
	settings := []message.MsgSetting{
		drpc.WithContext(ctx.Context()), drpc.WithSetMetas(meta),
		func(m message.Message) { m.SetBodyCodec(codec) },
	}
	if in, ok := ctx.(interface{ Input() message.Message }); ok && in.Input().PipeTFilter().Len() > 0 {
		settings = append(settings, drpc.WithTFilterPipe(in.Input().PipeTFilter().IDs()...))
	}
	return settings, nil
}

// hopsOf returns how many proxies the message has passed.
func hopsOf(ctx drpc.UnknownPushCtx) (int, error) {
	v := ctx.PeekMeta(MetaHops)
	if v == nil {
		return 0, nil
	}
	hops, err := strconv.ParseUint(fmt.Sprint(v), 10, 16)
	switch {
	case err != nil:
		return 0, errBadHops
	case hops >= MaxHops:
		return 0, errTooFar
	}
	return int(hops), nil
}

// passBack gives the caller the meta of the reply.
func passBack(ctx drpc.UnknownCallCtx, cmd drpc.CallCmd) {
	out, direct := ctx.(interface{ Output() message.Message })
	meta := cmd.InputMeta()
	if meta == nil { // somebody else's CallCmd
		return
	}
	meta.Iterator(func(key, value any) bool {
		if direct {
			out.Output().Meta().Set(fmt.Sprint(key), value)
		} else {
			ctx.SetMeta(fmt.Sprint(key), fmt.Sprint(value))
		}
		return true
	})
}

// statusOf is what the caller gets for a status of the upstream: its own, never the one that others may share. That
// there was no connection, or that sending failed, is a matter between proxy and upstream.
func statusOf(stat *drpc.Status) *drpc.Status {
	switch code := stat.Code(); {
	case stat.OK():
		return nil
	case code >= 100 && code < 200:
		return badGateway(fmt.Errorf("upstream: %s: %w", stat.Msg(), stat.Cause()))
	default:
		return stat.Copy(nil)
	}
}

func badGateway(cause error) *drpc.Status {
	return drpc.NewStatus(drpc.CodeBadGateway, drpc.CodeText(drpc.CodeBadGateway), cause)
}

func nobody() *drpc.Status {
	return drpc.NewStatus(drpc.CodeNotFound, drpc.CodeText(drpc.CodeNotFound))
}
