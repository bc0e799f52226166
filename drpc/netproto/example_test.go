package netproto_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/osgochina/dmicro/drpc/netproto"
)

// Endpoints find their transport by the name of the network, and so may anybody.
func Example() {
	t, err := netproto.Get("tcp")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	ln, err := netproto.Listen(ctx, t, "tcp", "127.0.0.1:0", nil)
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
		fmt.Fprint(conn, "hello")
	}()
	conn, err := netproto.Dial(ctx, t, "tcp", "", ln.Addr().String(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	fmt.Println(string(text), err, netproto.IsSecure(conn))
	// Output: hello <nil> false
}

func ExampleUnknownNetworkError() {
	_, err := netproto.Get("carrier-pigeon")
	var unknown *netproto.UnknownNetworkError
	fmt.Println(errors.As(err, &unknown))
	// Output:
	// true
}
