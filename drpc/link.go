package drpc

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/bufpool"
)

// link is one connection of a session. A session that is redialled gets a new one; replies to what came over the old
// one are dropped with it, so that they can never be taken for the answer to something else.
type link struct {
	sess    *session
	sock    *socket.Conn
	pending pending
	// protoFunc is the session's until ModifySocket.
	protoFunc atomic.Pointer[[]socket.ProtoFunc]

	// holding says that the reader has announced itself to the outbox; see hold. Only the reader sets it.
	holding atomic.Bool
	reader  readerRole
	// backlog is what was received and waits for a worker to take it.
	backlog backlog
	// running is the number of requests received and not answered yet.
	running atomic.Int32
	cancels cancels
	// held is the bytes of those requests, as far as they count against a limit.
	held atomic.Int64
	// until is when the session age ends the link, a clock.Time, 0 for never.
	until atomic.Int64
	// served says that the peer has called over this link, so that it may wait for replies.
	served atomic.Bool
	// resting says that somebody waits for running to be zero, and is told by rested.
	resting atomic.Bool
	rested  chan struct{}
	// moved closes when the peer has said that it sends no more calls over this link.
	movedOnce sync.Once
	moved     chan struct{}
	movedAt   atomic.Int64 // when it said so on an accepted session, a clock.Time
	// toldToMove says that this side has asked the peer to move.
	toldToMove atomic.Bool

	silence silence
	// watched is how many messages of broadcasts wait for the outcome of their write.
	watched atomic.Int32

	once sync.Once
	gone chan struct{} // closed when the link is of no more use
	err  error         // why; readable once gone is closed
	// closeErr is what closing the connection gave.
	closeErr  error
	closeOnce sync.Once

	mu     sync.Mutex
	ctx    context.Context // of the handlers; made when the first one asks
	cancel context.CancelCauseFunc
}

func (s *session) newLink(conn net.Conn) *link {
	l := &link{sess: s, gone: make(chan struct{}), rested: make(chan struct{}, 1), moved: make(chan struct{})}
	l.protoFunc.Store(&s.protoFunc)
	cfg := &s.ep.cfg
	l.sock = socket.New(conn, socket.Options{
		SizeLimit:    cfg.MaxMessageSize,
		OutboxSize:   cfg.OutboxSize,
		WriteTimeout: max(cfg.WriteTimeout, 0),
		FrameTimeout: max(cfg.FrameTimeout, 0),
		OnWriteError: l.writeFailed,
		Go:           s.ep.workers.goFunc,
		BeforeWait:   l.beforeWait,
		Traffic:      &s.traffic,
	}, s.protoFunc...)
	return l
}

// context returns the context that ends with the link, made when it is first asked for.
func (l *link) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancelCause(context.Background())
		select {
		case <-l.gone:
			l.cancel(&linkEnded{l})
		default:
		}
	}
	return l.ctx
}

func (l *link) cancelContext() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel(&linkEnded{l})
	}
}

// send sends an encoded message; see socket.Conn.Send.
func (l *link) send(ctx context.Context, frame *bufpool.Buf, wait bool) error {
	return l.sock.Send(ctx, frame, wait)
}

// write encodes and sends m; with wait it returns the outcome of the write that carried it.
func (l *link) write(ctx context.Context, m *message.Msg, wait bool) *Status {
	frame, err := encodeGuarded(l, m)
	if err != nil {
		return newStatus(CodeWriteFailed, err)
	}
	return writeStatus(l.send(ctx, frame, wait))
}

// writeStatus tells a lost connection, which a redial mends, from other failures to write.
func writeStatus(err error) *Status {
	switch {
	case err == nil:
		return nil
	case isConnLoss(err):
		return closedStatus(err)
	}
	return newStatus(CodeWriteFailed, err)
}

func (l *link) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}
