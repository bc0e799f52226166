package drpc

import (
	"errors"
	"io"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/bufpool"
)

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
