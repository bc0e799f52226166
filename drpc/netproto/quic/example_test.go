package quic_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"github.com/osgochina/dmicro/drpc/netproto/quic"
)

// The transport by itself. Endpoints use it when their network is "quic": drpc.EndpointConfig{Network: "quic"}.
func Example() {
	// For development: the listener makes itself a certificate, and the client does not look at it.
	insecure := &tls.Config{InsecureSkipVerify: true}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := quic.ServeConn(pc, func() *tls.Config { return insecure }, quic.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
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
	conn, err := quic.Dial(ctx, "udp", "", ln.Addr().String(), insecure, quic.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, "over quic"); err != nil {
		fmt.Println(err)
		return
	}
	echo := make([]byte, len("over quic"))
	_, err = io.ReadFull(conn, echo)
	fmt.Println(string(echo), err)
	// Output: over quic <nil>
}
