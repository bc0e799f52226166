package drpc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
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

// BroadcastStats is the sum of the results of a broadcaster: each field is that of BroadcastResult, over all messages and the sessions
// that they were for.
type BroadcastStats struct {
	Queued, Dropped, Closed, Failed uint64 // see BroadcastResult
}

// Stats returns what became of all messages so far, for each session that they were for.
func (b *Broadcaster) Stats() BroadcastStats {
	return BroadcastStats{b.queued.Load(), b.dropped.Load(), b.closed.Load(), b.failed.Load()}
}
