package graceful

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/osgochina/dmicro/internal/unixsocket"
)

// Listen returns a listener for address on network tcp, tcp4, tcp6, unix or unixpacket. If the predecessor listened
// there, it is the same socket, with every connection that waits in it; else it is a new one.
//
// Addresses are compared by what they mean: ":80", "0.0.0.0:80" and "[::]:80" are the same. A port of 0 finds the socket
// that the predecessor got by asking for the same, in the order of asking, so a port that the system chose survives
// reloads. Where the order is not always the same, WithOwner tells those who ask apart.
//
// Accept waits until this process may serve (see Ready) and ends with an error that is net.ErrClosed when a successor
// has taken over. Close closes the socket for good, and removes the file of a unix socket; later successors do not
// inherit it. ctx bounds the binding alone. While a successor starts, Listen fails with ErrReloading, since the successor
// would not get the socket, and later with ErrHandedOver or ErrStopped. Other errors are those of package net.
//
// A unix socket has mode 0600 when it is made; change its mode to let others in. Its path should not depend on the
// working directory.
func (u *Upgrader) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if k := kinds[network]; k != "tcp" && !isUnix(k) {
		return nil, fmt.Errorf("graceful: listen: %w", net.UnknownNetworkError(network))
	}
	var ln *listener
	err := u.use(ctx, network, address, bindListener, func(s *socket, raw any) (inUse, error) {
		inner, ok := raw.(net.Listener)
		if !ok {
			var err error
			if inner, err = net.FileListener(s.file); err != nil {
				return nil, err
			}
		}
		ln = newListener(u, s, inner)
		return ln, nil
	})
	if err != nil {
		return nil, err
	}
	return ln, nil
}

// ListenPacket returns a packet connection for address on network udp, udp4 or udp6, inherited or new as with Listen.
//
// Of two processes with one UDP socket exactly one reads. ReadFrom waits until this process may serve. Once a successor
// has taken over, ReadFrom returns no packets any more, and waits for its deadline or for Close; WriteTo works on, so
// that a transport can tell its peers to leave. HandedOver says when that time has come. The connection is nothing but a
// net.PacketConn with SetReadBuffer and SetWriteBuffer: whoever read from the descriptor itself would not notice.
func (u *Upgrader) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if kinds[network] != "udp" {
		return nil, fmt.Errorf("graceful: listen: %w", net.UnknownNetworkError(network))
	}
	var pc *packetConn
	err := u.use(ctx, network, address, bindPacket, func(s *socket, raw any) (inUse, error) {
		inner, ok := raw.(*net.UDPConn)
		if !ok {
			c, err := net.FilePacketConn(s.file)
			if err != nil {
				return nil, err
			}
			if inner, ok = c.(*net.UDPConn); !ok {
				_ = c.Close() // not what it was said to be
				return nil, fmt.Errorf("graceful: the inherited socket for %s is no UDP socket", s.addr)
			}
		}
		pc = newPacketConn(u, s, inner)
		return pc, nil
	})
	if err != nil {
		return nil, err
	}
	return pc, nil
}

// Hold binds address, or takes the inherited socket over, without accepting: connections wait until somebody listens
// there, in this process or in one that a Handoff made. A held socket outlives the listeners on it; it is closed
// by Stop, by Unhold, or when a successor takes over. On systems without reload Hold does nothing. Networks and errors are
// those of Listen; a port of 0 is refused, since nobody could find it.
func (u *Upgrader) Hold(ctx context.Context, network, address string) error {
	if k := kinds[network]; k != "tcp" && !isUnix(k) {
		return fmt.Errorf("graceful: hold: %w", net.UnknownNetworkError(network))
	}
	if canonical(network, address) == "" {
		return fmt.Errorf("graceful: hold %s %s: not an address with a port", network, address)
	}
	if !u.sys.supported {
		return nil // whoever listens binds
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.phase.mayListen() {
		return u.phase.refusal()
	}
	s := u.find(network, address, "", func(*socket) bool { return true })
	if s == nil {
		var err error
		if s, err = bindHeld(ctx, network, address); err != nil {
			return fmt.Errorf("graceful: %w", err)
		}
		u.sockets = append(u.sockets, s)
	}
	if s.file == nil {
		file, err := s.user.dup()
		if err != nil {
			return fmt.Errorf("graceful: hold %s: %w", address, err)
		}
		s.file = file
	}
	s.held = true
	return nil
}

// bindHeld binds a socket of which nothing but a descriptor is kept.
func bindHeld(ctx context.Context, network, address string) (*socket, error) {
	s, raw, err := bindListener(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ln := raw.(net.Listener)
	defer ln.Close() // the descriptor keeps the socket
	if s.file, err = dupOf(ln); err != nil {
		if s.fileID != "" {
			unixsocket.Remove(s.addr, s.fileID)
		}
		return nil, fmt.Errorf("hold %s: %w", address, err)
	}
	return s, nil
}

// use finds or binds the socket for an address and makes what its user gets.
func (u *Upgrader) use(ctx context.Context, network, address string,
	bind func(ctx context.Context, network, address string) (*socket, any, error),
	wrap func(s *socket, raw any) (inUse, error),
) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.phase.mayListen() {
		return u.phase.refusal()
	}
	var raw any
	s := u.find(network, address, ownerOf(ctx), func(s *socket) bool { return s.user == nil })
	if s == nil {
		var err error
		if s, raw, err = bind(ctx, network, address); err != nil {
			return fmt.Errorf("graceful: %w", err)
		}
		u.sockets = append(u.sockets, s)
	}
	if s.owner == "" {
		s.owner = ownerOf(ctx)
	}
	user, err := wrap(s, raw)
	if err != nil {
		return fmt.Errorf("graceful: listen on %s %s: %w", network, address, err)
	}
	s.user = user
	if !s.held && s.file != nil {
		_ = s.file.Close() // the listener has its own copy
		s.file = nil
	}
	return nil
}

// find returns the first socket for an address that also passes ok: one that the same owner has asked for in the same words
// before one that somebody has, before one that means the same. A port that the system chose is no other owner's.
func (u *Upgrader) find(network, address, owner string, ok func(*socket) bool) *socket {
	meant := canonical(network, address)
	fits := []func(s *socket) bool{
		func(s *socket) bool { return s.asked(network, address) && s.owner == owner },
		func(s *socket) bool {
			return s.asked(network, address) && (meant != "" || s.owner == "" || owner == "")
		},
		func(s *socket) bool {
			return meant != "" && compatible(s.network, network) && canonical(s.network, s.addr) == meant
		},
	}
	for _, fit := range fits {
		for _, s := range u.sockets {
			if fit(s) && ok(s) {
				return s
			}
		}
	}
	return nil
}

// asked reports whether the socket was asked for in these words.
func (s *socket) asked(network, address string) bool { return s.network == network && s.ask == address }

func bindListener(ctx context.Context, network, address string) (*socket, any, error) {
	s := &socket{network: network, ask: address}
	var ln net.Listener
	var err error
	if isUnix(kinds[network]) {
		ln, s.fileID, err = unixsocket.Bind(ctx, network, address)
	} else {
		ln, err = new(net.ListenConfig).Listen(ctx, network, address)
	}
	if err != nil {
		return nil, nil, err
	}
	s.addr = ln.Addr().String()
	if s.fileID != "" {
		ln.(*net.UnixListener).SetUnlinkOnClose(false) // the file may be a successor's by then
		s.addr = canonical(network, address)
	}
	return s, ln, nil
}

func bindPacket(ctx context.Context, network, address string) (*socket, any, error) {
	pc, err := new(net.ListenConfig).ListenPacket(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	return &socket{network: network, ask: address, addr: pc.LocalAddr().String()}, pc, nil
}

// dupOf returns another descriptor of a socket. The File methods of package net would do, too, but what they return
// puts the socket into blocking mode when a program is started with it, and then an Accept cannot be ended any more.
func dupOf(c any) (*os.File, error) {
	conn, ok := c.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no descriptor", c)
	}
	return dupFile(conn, "socket")
}
