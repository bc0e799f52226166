package drpc

import (
	"errors"
	"strings"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
)

// reservedPrefix begins the service methods of the pushes that the framework sends to itself at the other end. They
// never reach routes, handlers of unknown pushes or hooks of messages, whatever comes behind the prefix: a newer peer
// may send what this one does not know. A peer that knows none of them has no handler, and says so in its log.
const reservedPrefix = "/drpc/"

// cancelPush says that the caller has given a call up; its body is the sequence number of that call.
const cancelPush = reservedPrefix + "cancel"

// reservedPushes is what is done with each reserved push. It runs on the reader and must not wait; m and everything in
// it are gone when it returns. A peer may send anything: what makes no sense is ignored.
var reservedPushes map[string]func(l *link, m *message.Msg)

func init() { // or the table would be in need of itself
	reservedPushes = map[string]func(l *link, m *message.Msg){
		cancelPush: (*link).onCancel,
		helloPush:  func(*link, *message.Msg) {}, // that it came is all there is to it
		goawayPush: (*link).onGoaway,
		movedPush:  (*link).onMoved,
	}
}

// ErrReserved is what the error of a registration matches with errors.Is when the service method of a push begins with
// "/drpc/": those are of the framework itself.
var ErrReserved = errors.New("service methods of pushes that begin with " + reservedPrefix + " are reserved")

// isReserved reports whether a push is for the framework itself.
func isReserved(m *message.Msg) bool {
	if raw := m.ServiceMethodBytes(); raw != nil {
		return len(raw) >= len(reservedPrefix) && string(raw[:len(reservedPrefix)]) == reservedPrefix
	}
	return strings.HasPrefix(m.ServiceMethod(), reservedPrefix)
}

// onReserved deals with a reserved push.
func (l *link) onReserved(c *handlerCtx) {
	defer l.sess.ep.putCtx(c)
	if take := reservedPushes[c.input.ServiceMethod()]; take != nil {
		take(l, &c.input)
	}
}

// sendReserved sends a reserved push, whose body is text that is JSON as well, so that every protocol can carry it. It
// does not wait: where the outbox is full, or the protocol has no pushes, nothing is sent.
func (l *link) sendReserved(method, body string) {
	var m message.Msg
	m.SetSeq(l.sess.nextSeq())
	m.SetMType(message.TypePush)
	m.SetServiceMethod(method)
	m.SetBodyCodec(codec.JsonId)
	m.SetBody([]byte(body))
	frame, err := encodeGuarded(l, &m)
	if err == nil {
		err = l.send(doneContext, frame, false)
	}
	if err != nil {
		logDebugf("%s was not sent: %v (session %s)", method, err, l.sess.ID())
	}
}
