package drpc

import (
	"context"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/status"
)

// NewFakeCallCmd returns a call that is done with stat, for what fails before there is a session to call over.
func NewFakeCallCmd(serviceMethod string, arg, result any, stat *Status) CallCmd {
	f := &fakeCall{result: result, stat: stat}
	f.output.SetMType(message.TypeCall)
	f.output.SetServiceMethod(serviceMethod)
	f.output.SetBody(arg)
	return f
}

// fakeCall is a call that never had a session.
type fakeCall struct {
	output message.Msg
	result any
	stat   *status.Status
}

func (f *fakeCall) TraceEndpoint() (Endpoint, bool) { return nil, false }

func (f *fakeCall) TraceSession() (Session, bool) { return nil, false }

func (f *fakeCall) Context() context.Context { return f.output.Context() }

func (f *fakeCall) Output() message.Message { return &f.output }

func (f *fakeCall) StatusOK() bool { return f.stat.OK() }

func (f *fakeCall) Status() *Status { return f.stat }

func (f *fakeCall) Done() <-chan struct{} { return closedChan }

func (f *fakeCall) Reply() (any, *Status) { return f.result, f.stat }

func (f *fakeCall) InputBodyCodec() byte { return codec.NilCodecID }

func (f *fakeCall) InputMeta() *gmap.Map { return gmap.New(true) }

func (f *fakeCall) CostTime() time.Duration { return 0 }
