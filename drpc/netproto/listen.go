package netproto

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/osgochina/dmicro/internal/unixsocket"
)

// ListenFunc binds a stream listener, as the Listen method of [net.ListenConfig] does.
type ListenFunc func(ctx context.Context, network, address string) (net.Listener, error)

// ListenPacketFunc binds a packet socket, as the ListenPacket method of [net.ListenConfig] does.
type ListenPacketFunc func(ctx context.Context, network, address string) (net.PacketConn, error)

var (
	listenFunc       atomic.Pointer[ListenFunc]
	listenPacketFunc atomic.Pointer[ListenPacketFunc]
)

// SetListen makes f what transports bind tcp and unix listeners with, for example to take over those of a predecessor
// process. A program calls it once, before its first endpoint listens; a second call panics, since part of the
// listeners would be unknown to either function. f may be called concurrently.
func SetListen(f ListenFunc) {
	if !listenFunc.CompareAndSwap(nil, &f) {
		panic("netproto: SetListen is called twice")
	}
}

// SetListenPacket is SetListen for the UDP sockets that kcp and quic listen on. What f returns need not be a
// [*net.UDPConn], but its addresses must be of type [*net.UDPAddr].
func SetListenPacket(f ListenPacketFunc) {
	if !listenPacketFunc.CompareAndSwap(nil, &f) {
		panic("netproto: SetListenPacket is called twice")
	}
}

// Bind binds a listener for a transport: with the function of SetListen, else by itself. The file of a unix socket that
// it binds by itself has mode 0600, so that no other user can connect; change its mode to let others in. A file that a
// killed process left is replaced; one that is served, or that is no socket, is syscall.EADDRINUSE.
func Bind(ctx context.Context, network, address string) (net.Listener, error) {
	if f := listenFunc.Load(); f != nil {
		return (*f)(ctx, network, address)
	}
	if isUnix(network) {
		ln, _, err := unixsocket.Bind(ctx, network, address)
		return ln, err
	}
	return new(net.ListenConfig).Listen(ctx, network, address)
}

// BindPacket binds a packet socket for a transport: with the function of SetListenPacket, else by itself.
func BindPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if f := listenPacketFunc.Load(); f != nil {
		return (*f)(ctx, network, address)
	}
	return new(net.ListenConfig).ListenPacket(ctx, network, address)
}
