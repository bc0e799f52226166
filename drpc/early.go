package drpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
)

//lint:ignore ST1005 the text that programs and their tests know
var errNotEarly = errors.New("Cannot be called during the Non-PostDial and Non-PostAccept phase")

// preparing returns the connection that the Early methods act on.
func (s *session) preparing() (*link, *Status) {
	// While the session moves from one connection to the next its state is that of the one in use.
	if l := s.early.Load(); l != nil && !s.getState().closing() {
		return l, nil
	}
	return nil, newStatus(CodeInvalidOp, errNotEarly)
}

// EarlySend sends one message of any type.
func (s *session) EarlySend(mType byte, serviceMethod string, body any, stat *status.Status, setting ...message.MsgSetting) *status.Status {
	l, opStat := s.preparing()
	if opStat != nil {
		return opStat
	}
	var m message.Msg
	s.fill(&m, mType, serviceMethod, body, setting)
	if stat != nil {
		m.SetStatus(stat)
	}
	return s.sendDirect(l, &m)
}

// EarlyReply answers a message of EarlyReceive.
func (s *session) EarlyReply(req message.Message, body any, stat *status.Status, setting ...message.MsgSetting) *status.Status {
	l, opStat := s.preparing()
	if opStat != nil {
		return opStat
	}
	var m message.Msg
	s.fill(&m, message.TypeReply, "", body, setting)
	if req.MType() == message.TypeAuthCall {
		m.SetMType(message.TypeAuthReply)
	}
	m.SetSeq(req.Seq())
	if stat != nil {
		m.SetStatus(stat)
	}
	return s.sendDirect(l, &m)
}

// RawPush sends a PUSH without hooks. The next connection is for its hooks alone until they are through; see current.
func (s *session) RawPush(serviceMethod string, args any, setting ...message.MsgSetting) *status.Status {
	l := s.current()
	if l == nil {
		return newStatus(CodeConnClosed, nil)
	}
	var m message.Msg
	s.fill(&m, message.TypePush, serviceMethod, args, setting)
	return s.sendDirect(l, &m)
}

// sendDirect writes a message and waits until it is written, at most as long as its context or the context age.
func (s *session) sendDirect(l *link, m *message.Msg) *Status {
	ctx := m.Context()
	if age := s.ContextAge(); age > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, age)
		defer cancel()
	}
	return l.write(ctx, m, true)
}

// EarlyReceive reads one message.
func (s *session) EarlyReceive(newArgs message.NewBodyFunc, ctx ...context.Context) message.Message {
	m := message.NewMessage(message.WithNewBody(newArgs))
	l, stat := s.preparing()
	if stat == nil {
		base, age := context.Background(), s.ContextAge()
		if len(ctx) > 0 && ctx[0] != nil {
			base, age = ctx[0], 0
		}
		bound, cancel := s.boundEarly(base, age)
		defer cancel()
		stat = s.receiveDirect(bound, l, m)
	}
	if stat != nil {
		m.SetStatus(stat)
	}
	return m
}

// boundEarly bounds the wait for a peer in the early phase by age, and by the time for the first message where neither
// that nor ctx does.
func (s *session) boundEarly(ctx context.Context, age time.Duration) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); age <= 0 && !bounded {
		age = s.ep.cfg.FirstFrameTimeout
	}
	if age <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, age)
}

// receiveDirect reads into m until ctx ends.
func (s *session) receiveDirect(ctx context.Context, l *link, m message.Message) (stat *Status) {
	defer func() {
		if r := recover(); r != nil {
			stat = newStatus(CodeBadMessage, recovered("reading of an early message", r))
		}
	}()
	// A read cannot be cancelled but by a deadline in the past.
	stop := context.AfterFunc(ctx, func() { _ = l.sock.SetReadDeadline(time.Unix(1, 0)) })
	err := l.sock.ReadMessage(m)
	if !stop() {
		if err == nil {
			err = context.Cause(ctx)
		}
		return newStatus(CodeConnClosed, fmt.Errorf("%w: %w", context.Cause(ctx), err))
	}
	if err != nil {
		return newStatus(CodeConnClosed, err)
	}
	l.silence.broken()
	return nil
}

// SetEarlyReadLimit bounds what the Early methods read.
func (s *session) SetEarlyReadLimit(maxMessageSize uint32) {
	s.mu.Lock() // or the session could be up before the limit is set, and keep it
	defer s.mu.Unlock()
	if l, stat := s.preparing(); stat == nil {
		l.sock.LimitRead(maxMessageSize)
	}
}

// EarlyCall sends a CALL and waits for its REPLY, at most as long as its context or the context age, and the
// time for the first message without either.
func (s *session) EarlyCall(serviceMethod string, args, reply any, callSetting ...message.MsgSetting) *status.Status {
	l, stat := s.preparing()
	if stat != nil {
		return stat
	}
	var m message.Msg
	s.fill(&m, message.TypeCall, serviceMethod, args, callSetting)
	ctx, cancel := s.boundEarly(m.Context(), s.ContextAge())
	defer cancel()
	if stat = l.write(ctx, &m, true); stat != nil {
		return stat
	}
	in := message.NewMessage(message.WithNewBody(func(message.Header) any { return reply }))
	if stat = s.receiveDirect(ctx, l, in); stat != nil {
		return stat
	}
	switch {
	case in.MType() != message.TypeReply:
		return newStatus(CodeMTypeNotAllowed, fmt.Errorf("expected a REPLY, but received: %s", message.TypeText(in.MType())))
	case !in.StatusOK():
		return in.Status()
	}
	return nil
}

// ControlFD calls f with the file descriptor of the connection.
func (s *session) ControlFD(f func(fd uintptr)) error {
	if l := s.current(); l != nil {
		return l.sock.ControlFD(f)
	}
	return errors.New("session has no connection")
}

// GetProtoFunc returns the protocol of the session.
func (s *session) GetProtoFunc() proto.ProtoFunc {
	protoFunc := s.protoFunc
	if l := s.current(); l != nil {
		protoFunc = *l.protoFunc.Load()
	}
	if len(protoFunc) > 0 && protoFunc[0] != nil {
		return protoFunc[0]
	}
	return socket.DefaultProtoFunc()
}

// ModifySocket puts another connection, another protocol or both in place. What it changes is of this connection: the
// next one begins as this one did, so that AfterDial finds it the same each time.
func (s *session) ModifySocket(fn func(conn net.Conn) (net.Conn, proto.ProtoFunc)) {
	l := s.early.Load()
	if l == nil {
		logWarnf("ModifySocket: the session is up already, nothing was changed (session %s)", s.ID())
		return
	}
	conn, pf := fn(l.sock.Unread())
	if pf != nil {
		l.protoFunc.Store(&[]socket.ProtoFunc{pf}) // a slice of our own: the endpoint's is shared
	}
	if conn != nil || pf != nil {
		l.sock.Reset(conn, *l.protoFunc.Load()...)
		if l.isGone() {
			_ = l.sock.Close() // a Close of meanwhile has closed the connection before, and not this one
		}
	}
}
