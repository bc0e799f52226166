package drpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/status"
)

//lint:ignore ST1005 the text that programs and their tests know
var errNotEarly = errors.New("Cannot be called during the Non-PostDial and Non-PostAccept phase")

// preparing returns the connection that the Early methods act on.
func (s *session) preparing() (*link, *Status) {
	if l := s.early.Load(); l != nil && s.getState() == statePreparing {
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

// RawPush sends a PUSH without hooks.
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
		stat = s.receiveDirect(l, m, ctx)
	}
	if stat != nil {
		m.SetStatus(stat)
	}
	return m
}

// receiveDirect reads into m within the time that ctx or the context age allows.
func (s *session) receiveDirect(l *link, m message.Message, ctxs []context.Context) (stat *Status) {
	defer func() {
		if r := recover(); r != nil {
			stat = newStatus(CodeBadMessage, recovered("reading of an early message", r))
		}
	}()
	ctx := context.Background()
	if len(ctxs) > 0 && ctxs[0] != nil {
		ctx = ctxs[0]
	} else if age := s.ContextAge(); age > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, age)
		defer cancel()
	}
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
	return nil
}

// EarlyCall sends a CALL and waits for its REPLY.
func (s *session) EarlyCall(serviceMethod string, args, reply any, callSetting ...message.MsgSetting) *status.Status {
	if stat := s.EarlySend(message.TypeCall, serviceMethod, args, nil, callSetting...); stat != nil {
		return stat
	}
	in := s.EarlyReceive(func(message.Header) any { return reply })
	if stat := in.Status(); !stat.OK() {
		return stat
	}
	if in.MType() != message.TypeReply {
		return newStatus(CodeMTypeNotAllowed, fmt.Errorf("expected a REPLY, but received: %s", message.TypeText(in.MType())))
	}
	return nil
}
