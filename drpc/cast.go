package drpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/clock"
)

// maxWatched is how many messages of one session may wait for their AfterWritePush hooks, each on a goroutine.
const maxWatched = 1000

// cast is one broadcast.
type cast struct {
	b        *Broadcaster
	method   string
	args     any
	settings []message.MsgSetting

	body      []byte // encoded
	codec     byte   // of the body
	encodedBy byte   // the codec of the endpoint that it was encoded for; 0 is none yet

	result  BroadcastResult
	stalled []*handlerCtx // messages for peers that are to be waited for
}

// offer makes the message for one session and queues it. A status ends the broadcast: it is of no session in particular.
func (c *cast) offer(sess Session) *Status {
	s, ok := sess.(*session)
	if !ok {
		c.fail(sess, notExecuted(CodeInvalidOp, errForeign))
		return nil
	}
	if id := s.ep.cfg.bodyCodec.ID(); id != c.encodedBy {
		if stat := c.encode(id); stat != nil {
			return stat
		}
	}
	p := ctxPool.Get().(*handlerCtx)
	p.sess, p.start = s, clock.Now()
	s.fill(&p.output, message.TypePush, c.method, nil, c.settings)
	p.output.SetBody(c.body)
	p.output.SetBodyCodec(c.codec)
	p.hooks = s.ep.plugins.hooks()
	if stat := p.hooks.onWrite(hookBeforeWritePush, p); stat != nil {
		c.fail(sess, stat)
		p.pushed(stat)
		return nil
	}
	c.queue(doneContext, p)
	return nil
}

// encode encodes the body, once for all sessions of endpoints with this codec.
func (c *cast) encode(fallback byte) (stat *Status) {
	defer func() {
		if r := recover(); r != nil {
			stat = notExecuted(CodeWriteFailed, recovered("encoding of PUSH "+c.method, r))
		}
	}()
	var m message.Msg
	m.SetBody(c.args)
	m.Apply(c.settings)
	if m.BodyCodec() == 0 && m.Body() != nil {
		m.SetBodyCodec(fallback)
	}
	m.SetSealer(nil) // seals for each session
	body, err := m.MarshalBody()
	if err != nil {
		return notExecuted(CodeWriteFailed, err)
	}
	c.body, c.codec, c.encodedBy = body, m.BodyCodec(), fallback
	return nil
}

// queue queues a message and decides what becomes of one that finds no room until ctx ends.
func (c *cast) queue(ctx context.Context, p *handlerCtx) {
	sess := p.sess
	l, stat := sess.queue(ctx, p, c.b.cfg.QueueSize)
	full := stat != nil && errors.Is(stat.Cause(), errQueueFull)
	switch {
	case stat == nil:
		c.result.Queued++
		return // p is on its way
	case full && c.b.cfg.Policy == StallBlock && ctx == doneContext:
		c.stalled = append(c.stalled, p)
		return
	case full && c.b.cfg.Policy != StallClose:
		c.result.Dropped++
		c.report(sess, stat)
	case full && l.sock.Abort(fmt.Errorf("%w: %w", socket.ErrStalled, errQueueFull)):
		c.result.Closed++
		c.report(sess, stat)
	default:
		c.fail(sess, stat)
	}
	p.pushed(stat)
}

func (c *cast) fail(sess Session, stat *Status) {
	c.result.Failed++
	c.report(sess, stat)
}

func (c *cast) report(sess Session, stat *Status) {
	if c.b.cfg.OnFailure != nil {
		c.b.cfg.OnFailure(sess, stat)
	}
}

// queue hands the message of p to the connection of the moment. With a nil status p belongs to it, too.
func (s *session) queue(ctx context.Context, p *handlerCtx, limit int) (*link, *Status) {
	l := s.link.Load()
	if l == nil || s.getState() != stateOk {
		return l, notExecuted(CodeConnClosed, nil)
	}
	watched := len(p.hooks.write[hookAfterWritePush]) > 0
	if watched && l.watched.Load() >= maxWatched {
		return l, notExecuted(CodeBusy, errQueueFull)
	}
	frame, err := encodeGuarded(l, &p.output)
	if err != nil {
		return l, notExecuted(CodeWriteFailed, err)
	}
	written, err := l.sock.Offer(ctx, frame, limit, watched)
	switch {
	case errors.Is(err, socket.ErrFull):
		return l, notExecuted(CodeBusy, errQueueFull)
	case err != nil:
		return l, notExecuted(CodeConnClosed, err)
	case !watched:
		p.pushed(nil)
	default:
		l.watched.Add(1)
		s.ep.workers.goFunc(func() { p.pushedBy(l, written) })
	}
	return l, nil
}

// pushedBy waits for the outcome of the write, and runs the hooks behind it.
func (c *handlerCtx) pushedBy(l *link, written func(context.Context) error) {
	stat := writeStatus(written(context.Background()))
	l.watched.Add(-1)
	if stat == nil {
		c.sess.warnHook(hookAfterWritePush, c.hooks.onWrite(hookAfterWritePush, c))
	}
	c.pushed(stat)
}

// pushed is the end of a push of a broadcast.
func (c *handlerCtx) pushed(stat *Status) {
	c.observePush(stat)
	if stat == nil && debugEnabled() {
		c.sess.ep.logPush(c)
	}
	c.sess.ep.putCtx(c)
}
