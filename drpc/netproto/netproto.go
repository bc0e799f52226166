package netproto

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
)

// Transport listens and dials on one or more networks.
type Transport interface {
	// Networks are the names that EndpointConfig.Network selects the transport by.
	Networks() []string
	// Listen binds address. A port of 0 takes a free one, which the listener's Addr tells.
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// Dial connects to address, from local where it is not empty. ctx bounds the time it takes.
	Dial(ctx context.Context, network, local, address string) (net.Conn, error)
}

// UnknownNetworkError says that no transport serves a network.
type UnknownNetworkError struct {
	// Network is the name that was asked for, Known are those that would work.
	Network string
	Known   []string
}

// Error names the network and those that exist.
func (e *UnknownNetworkError) Error() string {
	return fmt.Sprintf("network %q: Invalid network config, refer to the following: %s", e.Network, strings.Join(e.Known, ", "))
}

var registry = struct {
	sync.RWMutex
	byNetwork map[string]Transport
}{byNetwork: make(map[string]Transport)}

// Register adds a transport. It is meant for init functions and panics when a network is taken.
func Register(t Transport) {
	registry.Lock()
	defer registry.Unlock()
	for _, network := range t.Networks() {
		if _, taken := registry.byNetwork[network]; taken {
			panic(fmt.Sprintf("netproto: network %q is registered twice", network))
		}
		registry.byNetwork[network] = t
	}
}

// Get returns the transport of a network, or an *UnknownNetworkError.
func Get(network string) (Transport, error) {
	registry.RLock()
	defer registry.RUnlock()
	if t, ok := registry.byNetwork[network]; ok {
		return t, nil
	}
	known := make([]string, 0, len(registry.byNetwork))
	for name := range registry.byNetwork {
		known = append(known, name)
	}
	slices.Sort(known)
	return nil, &UnknownNetworkError{Network: network, Known: known}
}
