package drpc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/clock"
)

// defaultQueueSize is how many bytes may wait for one session of a broadcast.
const defaultQueueSize = 1 << 20

// StallPolicy says what becomes of a broadcast for a session whose peer does not read, so that its queue is full.
type StallPolicy uint8

const (
	// StallDrop drops the message for that session. It gets the next ones once it has caught up.
	StallDrop StallPolicy = iota
	// StallClose ends the connection of that session, and so does not leave gaps that nobody notices.
	StallClose
	// StallBlock makes the broadcast wait for that session, after all others have got the message: whoever broadcasts is
	// no faster than the slowest. The wait ends with the context, and with the WriteTimeout of the endpoint.
	StallBlock
)

// String returns "drop", "close" or "block".
func (p StallPolicy) String() string {
	switch p {
	case StallDrop:
		return "drop"
	case StallClose:
		return "close"
	case StallBlock:
		return "block"
	}
	return fmt.Sprintf("StallPolicy(%d)", uint8(p))
}

// BroadcastConfig configures a [Broadcaster]. The zero value drops what a peer is too slow for.
type BroadcastConfig struct {
	// Policy says what becomes of a message for a session whose queue is full.
	Policy StallPolicy
	// QueueSize is how many bytes may wait to be written to one session before its queue is full, those of other
	// messages included; 1 MiB by default, and never more than the OutboxSize of the endpoint. A message that is larger
	// is taken by an empty queue.
	QueueSize int
	// Filter says which sessions Push is for; nil is all.
	Filter func(sess Session) bool
	// OnFailure is told of each session that did not get a message, and why, on the goroutine that broadcasts; it must
	// not wait. Nil is nobody.
	OnFailure func(sess Session, stat *Status)
}

// BroadcastResult counts sessions by what became of a message for them.
type BroadcastResult struct {
	// Queued ones get the message, unless their connection ends before it was written.
	Queued int
	// Dropped ones did not get it because their queue was full.
	Dropped int
	// Closed ones were closed because of that.
	Closed int
	// Failed ones had no connection any more, or a hook or the protocol refused the message.
	Failed int
}

// Broadcaster pushes one message to many sessions. Its body is encoded once, and no session holds up another: what a
// peer does not take at once waits in a queue of limited size, the same that all its messages go through, so that it
// gets them in order. Safe for concurrent use; broadcasts that shall come in order are made one after the other.
type Broadcaster struct {
	ep  Endpoint
	cfg BroadcastConfig

	queued, dropped, closed, failed atomic.Uint64
}

// NewBroadcaster returns a broadcaster to sessions of ep.
func NewBroadcaster(ep Endpoint, cfg BroadcastConfig) *Broadcaster {
	if cfg.QueueSize <= 0 {
		cfg.QueueSize = defaultQueueSize
	}
	return &Broadcaster{ep: ep, cfg: cfg}
}

var (
	errQueueFull = errors.New("the peer does not read, and its queue is full")
	errForeign   = errors.New("not a session of an endpoint of this package")
)

// maxWatched is how many messages of one session may wait for their AfterWritePush hooks, each on a goroutine.
const maxWatched = 1000

// Push pushes to all sessions of the endpoint that the filter lets pass. A status says that nothing was sent to anybody,
// because the body cannot be encoded or ctx was over; what became of the message for each session is in the result. ctx
// bounds the wait for peers that block. Settings apply to the message for each session. The hooks of a push run for each
// session, and see the encoded body; AfterWritePush does on another goroutine, once the message was written.
func (b *Broadcaster) Push(ctx context.Context, serviceMethod string, args any, setting ...message.MsgSetting) (BroadcastResult, *Status) {
	return b.PushTo(ctx, func(yield func(Session) bool) {
		b.ep.RangeSession(func(sess Session) bool {
			return b.cfg.Filter != nil && !b.cfg.Filter(sess) || yield(sess)
		})
	}, serviceMethod, args, setting...)
}

// PushTo is Push to these sessions, without the filter.
func (b *Broadcaster) PushTo(ctx context.Context, sessions iter.Seq[Session], serviceMethod string, args any, setting ...message.MsgSetting) (BroadcastResult, *Status) {
	if ctx.Err() != nil {
		return BroadcastResult{}, notExecuted(CodeWriteFailed, context.Cause(ctx))
	}
	c := &cast{b: b, method: serviceMethod, args: args, settings: setting}
	for sess := range sessions {
		if stat := c.offer(sess); stat != nil {
			return BroadcastResult{}, stat
		}
	}
	for _, p := range c.stalled { // all others have it: now nobody is held up but who broadcasts
		c.queue(ctx, p)
	}
	b.queued.Add(uint64(c.result.Queued))
	b.dropped.Add(uint64(c.result.Dropped))
	b.closed.Add(uint64(c.result.Closed))
	b.failed.Add(uint64(c.result.Failed))
	return c.result, nil
}

// BroadcastStats is the sum of the results of a broadcaster.
type BroadcastStats struct{ Queued, Dropped, Closed, Failed uint64 }

// Stats returns what became of all messages so far, for each session that they were for.
func (b *Broadcaster) Stats() BroadcastStats {
	return BroadcastStats{b.queued.Load(), b.dropped.Load(), b.closed.Load(), b.failed.Load()}
}

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
