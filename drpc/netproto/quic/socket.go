package quic

import (
	"errors"
	"net"
	"sync"

	quicgo "github.com/quic-go/quic-go"
)

// udpSocket is a UDP socket, which is closed after the last of its users: a listener and connections.
type udpSocket struct {
	pc        net.PacketConn
	transport *quicgo.Transport

	mu    sync.Mutex
	users int
}

// newSocket makes a socket with one user. It has no StatelessResetKey: one that outlives a process would end, in a reload,
// the connections on which the old process still answers, and would be known to all servers with the same certificate.
func newSocket(pc net.PacketConn) *udpSocket {
	return &udpSocket{pc: pc, transport: &quicgo.Transport{Conn: pc}, users: 1}
}

func (s *udpSocket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// release closes the socket after its last user. Connections have been closed by then, and their peers told.
func (s *udpSocket) release() error {
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	return errors.Join(s.transport.Close(), s.pc.Close())
}
