package overload

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

const (
	defaultMaxPeers = 10_000
	// sweepEvery is the pause between two searches for peers to forget, which look at all of them.
	sweepEvery = time.Second
)

// peers has a gate for each peer. Those that have nothing at work and all of their rate are forgotten when there is no
// room: when they come back they get the same again.
type peers struct {
	limit Limit
	max   int

	mu    sync.Mutex
	gates map[string]*peerGate
	swept time.Time
	// others is the gate of those for whom there is no room.
	others *peerGate
}

// peerGate is a gate that is not forgotten while somebody has taken it.
type peerGate struct {
	*gate
	taken int // under the lock of peers
}

func newPeers(l Limit, limit int) *peers {
	return &peers{limit: l, max: limit, others: &peerGate{gate: newGate(l)}, gates: make(map[string]*peerGate)}
}

// take returns the gate of a peer, to be given back.
func (p *peers) take(key string) *peerGate {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.gates[key]
	if g == nil {
		if len(p.gates) >= p.max && !p.sweep() {
			return p.others
		}
		g = &peerGate{gate: newGate(p.limit)}
		p.gates[key] = g
	}
	g.taken++
	return g
}

// give returns a gate.
func (p *peers) give(g *peerGate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g != p.others {
		g.taken--
	}
}

// sweep makes room and reports whether there is some.
func (p *peers) sweep() bool {
	if now := time.Now(); now.Sub(p.swept) >= sweepEvery {
		p.swept = now
		for key, g := range p.gates {
			if g.taken == 0 && g.idle() {
				delete(p.gates, key)
			}
		}
	}
	return len(p.gates) < p.max
}

// PeerOf names the peer of a message by its address without the port, so that more connections are no more peers, nor are
// more addresses of one IPv6 network of 64 bits. Where there are no addresses, as with unix sockets, each session is a
// peer.
func PeerOf(ctx drpc.ReadCtx) string {
	addr := ctx.Session().RemoteAddr()
	var ip netip.Addr
	switch a := addr.(type) {
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case *net.UDPAddr:
		ip = a.AddrPort().Addr()
	default:
		if port, err := netip.ParseAddrPort(addr.String()); err == nil {
			ip = port.Addr()
		}
	}
	if ip = ip.Unmap().WithZone(""); !ip.IsValid() {
		return ctx.Session().ID()
	}
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
