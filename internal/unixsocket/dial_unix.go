//go:build !windows

package unixsocket

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
)

// Dial connects to address from a socket that is bound to local, which the peer so learns as the address of this side. The
// file is removed as soon as the connection stands, or is refused: it is of no use any more, and would be in the way of the
// next one with that name. What is there before counts as in [Bind].
func Dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.UnixAddr{Name: local, Net: network}}
	if IsAbstract(local) {
		return d.DialContext(ctx, network, address)
	}
	fail := func(err error) (net.Conn, error) { return nil, fmt.Errorf("dial %s from %s: %w", network, local, err) }
	abs, err := filepath.Abs(local)
	if err != nil {
		return fail(err)
	}
	unlock, err := lockPath(ctx, abs)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if err := removeStale(network, abs); err != nil {
		return fail(err)
	}
	d.Control = ownersAlone
	conn, err := d.DialContext(ctx, network, address)
	_ = removeStale(network, abs) // what cannot be removed is so by the next one, or tells it why
	return conn, err
}
