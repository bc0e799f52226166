package drpc

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
)

// ErrCallCanceled is the cause of a handler's context that ended because the caller has given the call up.
var ErrCallCanceled = errors.New("the caller has given the call up")

// doneContext is over from the beginning, for what must not wait.
var doneContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// maxGivenUp is how many calls of a link may be given up before their handlers have asked for their context, and be
// remembered. The oldest are forgotten first.
const maxGivenUp = 1 << 14

// cancels is which calls of a link their callers have given up. It costs nothing until a handler asks for its context
// or a caller gives a call up.
type cancels struct {
	mu sync.Mutex
	// running is how to end the contexts of handlers that have asked for theirs.
	running map[int32]context.CancelCauseFunc
	// recent and older are the calls given up that are not in running: the handler has not asked yet, or is done. The
	// older half is dropped when the recent one is full, and both with the last request at work.
	recent, older map[int32]struct{}
	some          atomic.Bool // recent or older is not empty
}

// watch makes the context of the call seq end when its caller gives it up.
func (s *cancels) watch(seq int32, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isGivenUp(seq) {
		cancel(ErrCallCanceled)
		return
	}
	if s.running == nil {
		s.running = make(map[int32]context.CancelCauseFunc)
	}
	s.running[seq] = cancel
}

// forget is called when a call is done that was watched.
func (s *cancels) forget(seq int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, seq)
}

// giveUp notes that the caller has given a call up.
func (s *cancels) giveUp(seq int32) {
	if cancel := s.note(seq); cancel != nil {
		cancel(ErrCallCanceled)
	}
}

// note returns how to end the context of the call, or remembers the call.
func (s *cancels) note(seq int32) context.CancelCauseFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[seq]; cancel != nil {
		delete(s.running, seq)
		return cancel
	}
	if len(s.recent) >= maxGivenUp/2 {
		s.recent, s.older = nil, s.recent
	}
	if s.recent == nil {
		s.recent = make(map[int32]struct{})
	}
	s.recent[seq] = struct{}{}
	s.some.Store(true)
	return nil
}

// begin is called when a call arrives. What is remembered under its number was another call: numbers wrap.
func (s *cancels) begin(seq int32) {
	if !s.some.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.recent, seq)
	delete(s.older, seq)
}

// givenUp reports whether the caller gave the call up before its handler asked for the context.
func (s *cancels) givenUp(seq int32) bool {
	if !s.some.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isGivenUp(seq)
}

func (s *cancels) isGivenUp(seq int32) bool {
	_, recent := s.recent[seq]
	_, older := s.older[seq]
	return recent || older
}

// settled is called when a request is done. With the last one at work, nothing needs to be remembered any more.
func (s *cancels) settled(running *atomic.Int32) {
	if !s.some.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if running.Load() == 0 { // only now does it count: the reader may have begun another one, and its caller given it up
		s.recent, s.older = nil, nil
		s.some.Store(false)
	}
}

// onCancel takes a cancel push. A call that is done already, or never was, is none of its business.
func (l *link) onCancel(m *message.Msg) {
	seq, err := strconv.ParseInt(string(m.EncodedBody()), 10, 32)
	if err != nil || l.running.Load() == 0 {
		return
	}
	l.cancels.giveUp(int32(seq))
}

// sendCancel tells the peer that the caller of seq has given the call up.
func (l *link) sendCancel(seq int32) { l.sendReserved(cancelPush, strconv.Itoa(int(seq))) }
