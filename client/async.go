package client

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

// asyncCmd is a call that may be tried at several nodes: it is that of the last attempt once it is done.
type asyncCmd struct {
	endpoint drpc.Endpoint
	output   message.Message
	result   any
	done     chan struct{}
	last     atomic.Pointer[drpc.CallCmd]
}

var _ drpc.CallCmd = (*asyncCmd)(nil)

func newAsyncCmd(endpoint drpc.Endpoint, method string, arg, result any, settings []message.MsgSetting) *asyncCmd {
	m := message.NewMessage(settings...)
	m.SetMType(message.TypeCall)
	m.SetServiceMethod(method)
	m.SetBody(arg)
	return &asyncCmd{endpoint: endpoint, output: m, result: result, done: make(chan struct{})}
}

// finish sets the attempt that counts.
func (a *asyncCmd) finish(last drpc.CallCmd) { a.last.Store(&last) }

// wait returns the attempt that counts.
func (a *asyncCmd) wait() drpc.CallCmd {
	if last := a.last.Load(); last != nil { // before done: whoever reads the channel may ask
		return *last
	}
	<-a.done
	return *a.last.Load()
}

func (a *asyncCmd) TraceEndpoint() (drpc.Endpoint, bool) { return a.endpoint, true }

func (a *asyncCmd) TraceSession() (drpc.Session, bool) {
	if last := a.last.Load(); last != nil {
		return (*last).TraceSession()
	}
	return nil, false
}

func (a *asyncCmd) Context() context.Context { return a.output.Context() }
func (a *asyncCmd) Output() message.Message  { return a.output }
func (a *asyncCmd) StatusOK() bool           { return a.Status().OK() }

func (a *asyncCmd) Status() *drpc.Status {
	if last := a.last.Load(); last != nil {
		return (*last).Status()
	}
	return nil
}

func (a *asyncCmd) Done() <-chan struct{}      { return a.done }
func (a *asyncCmd) Reply() (any, *drpc.Status) { return a.result, a.wait().Status() }
func (a *asyncCmd) InputBodyCodec() byte       { return a.wait().InputBodyCodec() }
func (a *asyncCmd) InputMeta() *gmap.Map       { return a.wait().InputMeta() }
func (a *asyncCmd) CostTime() time.Duration    { return a.wait().CostTime() }
