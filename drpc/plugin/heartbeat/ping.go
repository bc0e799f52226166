package heartbeat

import (
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

// PingName is the name of the plugin that pings.
const PingName = "heart-ping"

const (
	// perRate is how often a session is looked at in one rate.
	perRate = 8
	// patience is for how many rates pushes may bring nothing from the peer before it is asked by a call.
	patience = 3
)

// Ping is a plugin that keeps an eye on the sessions of its endpoint, those that it has dialled and those that it has
// accepted. Its rate and form may be changed at any time and count for all sessions, from the next heartbeat on.
type Ping interface {
	drpc.Plugin
	// SetRate sets after how many seconds of silence a session gets a heartbeat, MinRate to MaxRate.
	SetRate(rateSecond int)
	// UseCall makes heartbeats calls. A peer that has stopped is found within twice the rate.
	UseCall()
	// UsePush makes heartbeats pushes, which spare the peer the answers. Where nothing else comes from a peer for three
	// times the rate it is asked by a call all the same, so one that has stopped is found within four times the rate.
	UsePush()
}

type ping struct {
	watches
	rate atomic.Int64 // time.Duration
	push atomic.Bool
}

var (
	_ drpc.AfterDialPlugin           = (*ping)(nil)
	_ drpc.AfterAcceptPlugin         = (*ping)(nil)
	_ drpc.BeforeCloseEndpointPlugin = (*ping)(nil)
	_ drpc.AfterCloseEndpointPlugin  = (*ping)(nil)
)

// NewPing returns a plugin that sends heartbeats to the peers of an endpoint, after rateSecond seconds of silence, 3 to
// 3600, as calls or as pushes.
func NewPing(rateSecond int, useCall bool) Ping {
	p := new(ping)
	p.SetRate(rateSecond)
	p.push.Store(!useCall)
	return p
}

// Name returns the name of the plugin.
func (*ping) Name() string { return PingName }

func (p *ping) SetRate(rateSecond int) { p.setRate(bounded(int64(rateSecond))) }

func (p *ping) setRate(rate time.Duration) {
	p.rate.Store(int64(rate))
	p.rewind()
}

func (p *ping) UseCall() { p.push.Store(false) }

func (p *ping) UsePush() { p.push.Store(true) }

// AfterDial begins to look at the sessions of the endpoint.
func (p *ping) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status { return p.begin(sess) }

// AfterAccept begins to look at the sessions of the endpoint.
func (p *ping) AfterAccept(sess drpc.EarlySession) *drpc.Status { return p.begin(sess) }

func (p *ping) begin(sess drpc.EarlySession) *drpc.Status {
	p.of(sess.Endpoint(), func() time.Duration { return time.Duration(p.rate.Load()) / perRate }, p.look)
	return nil
}

// look looks at every session that is up.
func (p *ping) look(w *watch) {
	w.ep.RangeSession(func(sess drpc.Session) bool {
		if m := w.sessions[sess]; m != nil {
			m.round = w.round
			m.look(sess)
			p.judge(w, sess, m)
			return true
		}
		m := newMonitor(sess, perRate)
		m.round = w.round
		w.sessions[sess] = m
		return true
	})
	for sess, m := range w.sessions {
		if m.round != w.round {
			delete(w.sessions, sess)
		}
	}
}

// judge decides what to do with a session.
func (p *ping) judge(w *watch, sess drpc.Session, m *monitor) {
	switch push := p.push.Load(); {
	case m.silent(perRate):
		w.drop(sess)
	case m.beat != nil || m.since < perRate:
		// One at a time.
	case m.quietIn >= perRate || m.quietOut >= perRate:
		w.send(sess, m, time.Duration(p.rate.Load()), !push || m.quietIn >= patience*perRate)
	}
}
