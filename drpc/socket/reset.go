package socket

import "net"

// Reset puts another connection, another protocol or both in place.
func (s *Conn) Reset(netConn net.Conn, protoFunc ...ProtoFunc) {
	if netConn != nil && netConn != s.conn {
		s.in.release()
		s.in.conn = netConn
		turns := s.out.turns.Load() // whoever was announced to the old one arrives at this one
		s.mu.Lock()
		s.conn = netConn
		s.out = s.newOutbox()
		s.out.turns.Store(turns)
		s.mu.Unlock()
		s.closed.Store(false)
	}
	if len(protoFunc) > 0 || netConn != nil {
		s.setProto(protoFunc)
	}
	if reason := s.reason.Load(); reason != nil {
		_ = s.shut(*reason) // an Abort of meanwhile has closed the connection before, and not this one
	}
}

// Unread returns the connection for somebody who wants to wrap it: bytes that were read ahead come first from its
// Read. Only before or after frames are read, never meanwhile.
func (s *Conn) Unread() net.Conn {
	n := s.in.buffered()
	if n == 0 {
		return s.conn
	}
	ahead := append(make([]byte, 0, n), s.in.buf.B[s.in.pos:]...)
	return &unreadConn{Conn: s.conn, ahead: ahead}
}

// unreadConn gives back bytes that were read ahead before it reads on.
type unreadConn struct {
	net.Conn
	ahead []byte
}

func (c *unreadConn) Read(b []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.ahead)
	c.ahead = c.ahead[n:]
	return n, nil
}
