package dserver

import (
	"context"
	"fmt"
	"strconv"

	"github.com/osgochina/dmicro/graceful"
)

// hold binds the addresses of SetInheritListener, or takes their sockets over. A master that was killed a moment ago may
// have workers that still hold them.
func hold(addresses []InheritAddr) error {
	list := make([]graceful.InheritAddr, len(addresses))
	for i, a := range addresses {
		switch a.Network {
		case "kcp", "quic":
			return fmt.Errorf("SetInheritListener: %s:%d: %s cannot be shared by processes", a.Host, a.Port, a.Network)
		}
		list[i] = graceful.InheritAddr{
			Network: a.Network, Host: a.Host, Port: strconv.Itoa(a.Port), TlsConfig: a.TlsConfig, ServerName: a.ServerName,
		}
	}
	_, err := persist(context.Background(), orphanTime, func() (struct{}, error) {
		return struct{}{}, graceful.SetInheritListener(list)
	})
	if err != nil {
		return fmt.Errorf("SetInheritListener: %w", err)
	}
	return nil
}
