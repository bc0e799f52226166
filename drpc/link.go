package drpc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
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
	// until is when the session age ends the link, a clock.Time, 0 for never.
	until atomic.Int64
	// held is the bytes of those that count.
	held atomic.Int64
	// served says that the peer has called over this link, so that it may wait for replies.
	served atomic.Bool
	// resting says that somebody waits for running to be zero, and is told by rested.
	resting atomic.Bool
	rested  chan struct{}
	// moved closes when the peer has said that it sends no more calls over this link.
	movedOnce sync.Once
	moved     chan struct{}
	movedAt   atomic.Int64 // when it said so on an accepted session, a clock.Time

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

// errLinkClosed is the reason of handlers' contexts on a link that this side closed.
var errLinkClosed = errors.New("session is closed")

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

// writeFailed ends the link after the first write that failed, and says so: the reader finds it ended and is silent.
func (l *link) writeFailed(err error) {
	if !l.isGone() {
		logWarnf("disconnect when writing: %v (session %s)", err, l.sess.ID())
	}
	l.die(err)
}

// die ends the link: the connection closes, pending calls end, contexts of handlers are cancelled. The reader notices
// by its read error and decides what becomes of the session.
func (l *link) die(err error) {
	l.end(err, true)
	l.shut() // where the link had ended already, and the connection was left open for replies
}

// end is die that may leave the connection open.
func (l *link) end(err error, shut bool) {
	l.once.Do(func() {
		l.err = err
		// Before anybody can see that the link is gone: a call that begins then waits for the next one, and is not lost
		// with this one.
		l.pending.seal()
		close(l.gone)
		l.silence.stop()
		l.cancelContext()
		if shut {
			l.shut()
		}
		stat := closedStatus(err)
		for _, c := range l.pending.close() {
			c.deliver(stat)
		}
	})
}

// shut closes the connection.
func (l *link) shut() {
	l.closeOnce.Do(func() { l.closeErr = l.sock.Close() })
}

// readEnded ends the link after its reader. A peer that has only ended its sending still takes replies: what it has
// asked for is answered before the connection closes. That the contexts of its handlers end all the same is because a
// peer that is gone for good looks no different.
func (l *link) readEnded(err error) {
	_, halves := l.sock.Raw().(proto.WriteCloser)
	if !errors.Is(err, io.EOF) || !halves || l.running.Load() == 0 {
		l.die(err)
		return
	}
	l.end(err, false)
	if !l.sess.ep.spawn(l.answerAndShut) {
		l.answerAndShut()
	}
}

// answerAndShut closes the connection when all that was asked for over it is answered.
func (l *link) answerAndShut() {
	l.awaitRest(nil)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := l.sock.Drain(ctx); err != nil {
		logDebugf("replies to a peer that has ended its sending: %v (session %s)", err, l.sess.ID())
	}
	l.shut()
}

// rest tells one of those who wait that no request is at work; it tells the next.
func (l *link) rest() {
	select {
	case l.rested <- struct{}{}:
	default:
	}
}

// awaitRest waits until no request of the peer is at work, or until closes; it reports which.
func (l *link) awaitRest(until <-chan struct{}) bool {
	l.resting.Store(true)
	for l.running.Load() > 0 {
		select {
		case <-l.rested: // or was, a moment ago
		case <-until:
			return false
		}
	}
	l.rest()
	return true
}

// closedStatus is the status of what a lost connection took with it. An orderly end needs no cause.
func closedStatus(err error) *Status {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, socket.ErrProactivelyCloseSocket) {
		return newStatus(CodeConnClosed, nil)
	}
	return newStatus(CodeConnClosed, err)
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

// linkEnded is why the contexts of handlers ended: the connection that their requests came over did.
type linkEnded struct{ link *link }

func (e *linkEnded) Error() string { return e.Unwrap().Error() }

// Unwrap returns what ended the connection.
func (e *linkEnded) Unwrap() error {
	if e.link.err == nil {
		return errLinkClosed
	}
	return e.link.err
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

const (
	// drainTimeout is how long a Close waits for the peer to take what was answered before.
	drainTimeout = 5 * time.Second
	// lingerTimeout is how long a Close then waits for the peer to close too.
	lingerTimeout = time.Second
)

// farewell ends the sending before the connection is closed. A handler is done once its reply is queued, and a call
// that was executed shall be answered: so what is queued is written first. Then only the sending direction closes, and
// the reader goes on until the peer has closed as well: to close on bytes that nobody has read would reset the
// connection, and the reset would overtake replies on their way. A peer that never called waits for none, and is not
// waited for.
func (l *link) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := l.sock.Drain(ctx); err != nil {
		if !l.isGone() {
			logWarnf("closed with replies that were not written: %v (session %s)", err, l.sess.ID())
		}
		return
	}
	if !l.served.Load() || !l.sock.EndSending() {
		return
	}
	linger := time.NewTimer(lingerTimeout)
	defer linger.Stop()
	select {
	case <-l.gone:
	case <-linger.C:
	}
}

func isConnLoss(err error) bool {
	for _, loss := range []error{
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, socket.ErrProactivelyCloseSocket,
		socket.ErrStalled, syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.ETIMEDOUT,
	} {
		if errors.Is(err, loss) {
			return true
		}
	}
	return false
}

// errReadOn is what a reader ends with that has lost its role.
var errReadOn = errors.New("another goroutine reads on")

// readLoop reads messages and passes them on until the connection ends. It returns the connection that takes its
// place, nil if none does, and whether this goroutine still has the role of the reader.
func (l *link) readLoop() (next *link, kept bool) {
	err := l.readAll()
	if err == errReadOn {
		return nil, false
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, socket.ErrProactivelyCloseSocket) && !l.isGone() {
		logWarnf("disconnect when reading: %v (session %s)", err, l.sess.ID())
	}
	return l.ended(err), true
}

// ended is called when nobody reads the connection any more. It returns the one that takes its place.
func (l *link) ended(err error) (next *link) {
	l.readEnded(err)
	l.sock.ReleaseReader()
	return l.sess.lost(l)
}

func (l *link) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

func (l *link) readAll() (err error) {
	defer l.beforeWait()
	ep := l.sess.ep
	for {
		c := ep.getCtx(l)
		if err = ep.beforeReadHeader(c); err != nil {
			ep.putCtx(c)
			return err
		}
		if c.frame, err = l.receive(&c.input); err != nil {
			ep.putCtx(c)
			return err
		}
		l.silence.broken()
		c.start = l.sock.ReceivedAt()
		l.hold()
		if err = l.dispatch(c); err != nil {
			return err
		}
	}
}

// hold keeps what others send together for as long as the reader has more messages at hand: those whom it wakes are
// likely to send too.
func (l *link) hold() {
	if !l.holding.Load() && l.sock.Buffered() > 0 {
		l.sock.Expect()
		l.holding.Store(true)
	}
}

// beforeWait comes before everything that may block the reader: what it has collected is begun without it, and nobody
// waits for it.
func (l *link) beforeWait() {
	if l.backlog.waiting() {
		l.sess.ep.workers.submit(l)
	}
	if l.holding.Load() && l.holding.Swap(false) {
		l.sock.Arrive()
	}
}

// beforeReadHeader runs the hook before the next message is waited for.
func (e *endpoint) beforeReadHeader(c *handlerCtx) error {
	hooks := e.plugins.hooks()
	if len(hooks.rare[hookBeforeReadHeader]) == 0 {
		return nil
	}
	c.link.beforeWait()
	s := c.sess
	s.hooking.Add(1)
	defer s.hooking.Add(-1)
	return runRare(hooks, hookBeforeReadHeader, func(p BeforeReadHeaderPlugin) error { return p.BeforeReadHeader(c) })
}

// receive reads one message. A protocol that panics on what it is fed ends its connection, not the process.
func (l *link) receive(m *message.Msg) (frame *bufpool.Buf, err error) {
	defer func() {
		if r := recover(); r != nil {
			l.beforeWait() // see onReply
			err = recovered("protocol", r)
		}
	}()
	return l.sock.Receive(m)
}

// dispatch hands a message to who is to deal with it. An error ends the reading: errReadOn here, others everywhere.
func (l *link) dispatch(c *handlerCtx) error {
	switch c.input.MType() {
	case message.TypeReply:
		l.onReply(c)
	case message.TypeCall:
		if !l.onRequest(c, &callKind) {
			return errReadOn
		}
	case message.TypePush:
		c.keep()
		if isReserved(&c.input) {
			l.onReserved(c)
		} else {
			l.onRequest(c, &pushKind)
		}
	default:
		err := newStatus(CodeMTypeNotAllowed, "message type "+message.TypeText(c.input.MType()))
		l.sess.ep.putCtx(c)
		return &statusError{err}
	}
	return nil
}

// onReply hands a reply, still encoded, to the call that waits for it.
func (l *link) onReply(c *handlerCtx) {
	call := l.pending.take(c.input.Seq())
	if call == nil {
		l.beforeWait() // a log may go anywhere, over this session too
		// Only the number: the body is of no business to a log.
		logDebugf("reply to no pending call: seq %d (session %s)", c.input.Seq(), l.sess.ID())
		l.sess.ep.putCtx(c)
		return
	}
	call.answer(c)
}
