package drpc

import (
	"context"
	"errors"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/internal/clock"
)

// Push sends a message that is not answered. Success means that it was handed to the kernel.
func (s *session) Push(serviceMethod string, args any, setting ...message.MsgSetting) *status.Status {
	if s.begin() {
		defer s.end()
	}
	c := ctxPool.Get().(*handlerCtx)
	c.sess, c.start = s, clock.Now()
	defer s.ep.putCtx(c)
	s.fill(&c.output, message.TypePush, serviceMethod, args, setting)
	stat := s.pushHooked(c)
	c.observePush(stat)
	return stat
}

// pushHooked writes the message of c between its hooks.
func (s *session) pushHooked(c *handlerCtx) *Status {
	hooks := s.ep.plugins.hooks()
	if stat := hooks.onWrite(hookBeforeWritePush, c); stat != nil {
		return stat
	}
	if stat := s.push(c); stat != nil {
		return stat
	}
	s.warnHook(hookAfterWritePush, hooks.onWrite(hookAfterWritePush, c))
	if debugEnabled() {
		s.ep.logPush(c)
	}
	return nil
}

// push writes the message of c, over the next connection where it is certain that the last one took nothing of it.
func (s *session) push(c *handlerCtx) *Status {
	ctx := c.output.Context()
	if age := s.ContextAge(); age > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.start.Std().Add(age))
		defer cancel()
	}
	if ctx.Err() != nil {
		return unsent(s.endedStatus(CodeWriteFailed, ctx))
	}
	for {
		l, stat := s.acquire(ctx, c.output.RedialPolicy())
		if stat != nil {
			return stat
		}
		frame, err := encodeGuarded(l, &c.output)
		if err != nil {
			return notExecuted(CodeWriteFailed, err)
		}
		err = l.send(ctx, frame, true)
		if !errors.Is(err, socket.ErrNotSent) {
			return writeStatus(err)
		}
		if stat = s.awaitLoss(ctx, l); stat != nil {
			return stat
		}
	}
}

// encodeGuarded packs m; a codec that panics fails this message and nothing else.
func encodeGuarded(l *link, m *message.Msg) (frame *bufpool.Buf, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered("encoding of "+message.TypeText(m.MType())+" "+m.ServiceMethod(), r)
		}
	}()
	return l.sock.Encode(m)
}
