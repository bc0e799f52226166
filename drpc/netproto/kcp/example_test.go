package kcp_test

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/osgochina/dmicro/drpc/netproto/kcp"
)

// The transport by itself. Endpoints use it when their network is "kcp": drpc.EndpointConfig{Network: "kcp"}.
func Example() {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ln := kcp.ServeConn(pc, kcp.Config{})
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn) // until the other end closes
	}()

	ctx := context.Background()
	conn, err := kcp.Dial(ctx, "udp", "", ln.Addr().String(), kcp.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, "over kcp"); err != nil {
		fmt.Println(err)
		return
	}
	echo := make([]byte, len("over kcp"))
	_, err = io.ReadFull(conn, echo)
	fmt.Println(string(echo), err)
	// Output: over kcp <nil>
}
