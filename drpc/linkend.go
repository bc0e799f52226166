package drpc

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
)

const (
	// drainTimeout is how long a Close waits for the peer to take what was answered before.
	drainTimeout = 5 * time.Second
	// lingerTimeout is how long a Close then waits for the peer to close too.
	lingerTimeout = time.Second
)

// errLinkClosed is the reason of handlers' contexts on a link that this side closed.
var errLinkClosed = errors.New("session is closed")

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
