package heartbeat

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

// PongName is the name of the plugin that pongs.
const PongName = "heart-pong"

// pongInterval is how often the sessions of peers that ping are looked at.
const pongInterval = time.Second

// Pong is a plugin that answers heartbeats and gives up peers that have sent some and then fall silent.
type Pong interface {
	drpc.Plugin
}

type pong struct {
	watches
	interval time.Duration
	// rate makes a rate of announced seconds.
	rate func(seconds int64) time.Duration
}

var (
	_ drpc.AfterNewEndpointPlugin    = (*pong)(nil)
	_ drpc.BeforeCloseEndpointPlugin = (*pong)(nil)
	_ drpc.AfterCloseEndpointPlugin  = (*pong)(nil)
)

// NewPong returns a plugin that answers the heartbeats of the peers of an endpoint. It must be given to the endpoint when
// that is made, for it registers handlers of ServiceMethod.
//
// A session is watched from its first heartbeat that announces a rate on, and each at its own, the last one announced.
// A peer that then sends nothing for twice the rate is cut off. If something was sent to it in that time it may have
// seen no need to ping, and is asked first; it has the rate to answer.
func NewPong() Pong { return &pong{interval: pongInterval, rate: bounded} }

// Name returns the name of the plugin.
func (*pong) Name() string { return PongName }

// AfterNewEndpoint registers the handlers of heartbeats, under the same name whatever the service-method mapper.
func (p *pong) AfterNewEndpoint(ep drpc.EarlyEndpoint) error {
	_, err := drpc.AddCall(ep, ServiceMethod, func(ctx drpc.CallCtx, _ *[]byte) (any, *drpc.Status) {
		p.note(ctx)
		return nil, nil
	})
	_, pushErr := drpc.AddPush(ep, ServiceMethod, func(ctx drpc.PushCtx, _ *[]byte) *drpc.Status {
		p.note(ctx)
		return nil
	})
	return errors.Join(err, pushErr)
}

// heartbeat is what the contexts of calls and pushes have in common.
type heartbeat interface {
	drpc.EarlyCtx
	PeekMeta(key string) any
}

// note takes down the rate that a heartbeat announces. One that makes no sense is ignored, and the session watched as
// before.
func (p *pong) note(ctx heartbeat) {
	v := ctx.PeekMeta(MetaRate)
	if v == nil {
		return
	}
	announced, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	sess, ok := ctx.Session().(drpc.Session)
	if err != nil || announced <= 0 || !ok {
		return
	}
	w := p.of(ctx.Endpoint(), func() time.Duration { return p.interval }, p.look)
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.sessions[sess]
	if m == nil {
		m = new(monitor)
		m.in, m.out = traffic(sess)
		w.sessions[sess] = m
	}
	m.rate = p.rate(announced)
}

// look looks at every session whose peer has pinged.
func (p *pong) look(w *watch) {
	for sess, m := range w.sessions {
		if !sess.Health() {
			delete(w.sessions, sess) // over, or without a connection: its next heartbeat brings it back
			continue
		}
		m.look(sess)
		p.judge(w, sess, m)
	}
}

func (p *pong) judge(w *watch, sess drpc.Session, m *monitor) {
	looks := int((m.rate + p.interval - 1) / p.interval)
	switch {
	case m.silent(looks):
		w.drop(sess)
	case m.beat != nil || m.quietIn <= 2*looks:
	case m.quietOut < m.quietIn:
		w.send(sess, m, m.rate, true)
	default:
		w.drop(sess)
	}
}
