package unixsocket

import (
	"context"
	"io/fs"
	"net"
)

// Bind is that of package net, which removes the file when the listener is closed: there are neither modes nor identities
// here.
func Bind(ctx context.Context, network, path string) (net.Listener, string, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, network, path)
	return ln, "", err
}

// Dial is that of package net: the file stays.
func Dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.UnixAddr{Name: local, Net: network}}
	return d.DialContext(ctx, network, address)
}

// Remove does nothing.
func Remove(string, string) {}

// Identity names no file.
func Identity(fs.FileInfo) string { return "" }
