package socket

import "github.com/osgochina/dmicro/drpc/proto"

// EndSending closes the sending direction: the peer reads an end, and this side reads on. It reports whether the
// connection can do that. Every later Send fails.
func (s *Conn) EndSending() bool {
	conn, out := s.ends()
	half, ok := conn.(proto.WriteCloser)
	if !ok {
		return false
	}
	out.fail(ErrProactivelyCloseSocket)
	return half.CloseWrite() == nil
}

// Close closes the connection.
func (s *Conn) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.in.watch.stop()
	return s.shut(ErrProactivelyCloseSocket)
}

// Abort ends the connection because of what the peer does, or does not do: what is read or sent from now on fails with
// reason. It does not wait for the connection to close, and Close is still to be called. Only the first reason counts;
// Abort reports whether this one does. Safe for concurrent use.
func (s *Conn) Abort(reason error) bool {
	if !s.reason.CompareAndSwap(nil, &reason) {
		return false
	}
	_, out := s.ends()
	out.fail(reason)                         // at once: whoever sends next shall know
	s.opts.Go(func() { _ = s.shut(reason) }) // its error is of no interest beside the reason
	return true
}

func (s *Conn) shut(reason error) error {
	// First the reason, then the deed: senders shall not learn of it by an error of the connection.
	conn, out := s.ends()
	out.fail(reason)
	return conn.Close()
}
