//go:build !drpc_slim

package drpc

// The transports beyond tcp and unix sockets, of networks kcp and quic. A program built with the tag drpc_slim has
// neither them nor the libraries that they need.
import (
	_ "github.com/osgochina/dmicro/drpc/netproto/kcp"
	_ "github.com/osgochina/dmicro/drpc/netproto/quic"
)
