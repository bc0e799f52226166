package netproto_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

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

// inbox is a transport within the process. Whoever listens takes what is dialled, under any address.
type inbox chan net.Conn

func init() { netproto.Register(make(inbox)) }

func (inbox) Networks() []string { return []string{"inbox"} }

func (i inbox) Listen(context.Context, string, string) (net.Listener, error) {
	return inboxListener{i, make(chan struct{})}, nil
}

func (i inbox) Dial(ctx context.Context, _, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case i <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type inboxListener struct {
	dialled inbox
	closed  chan struct{}
}

func (l inboxListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialled:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l inboxListener) Close() error {
	close(l.closed)
	return nil
}

func (inboxListener) Addr() net.Addr { return &net.UnixAddr{Name: "inbox", Net: "inbox"} }

// A transport of one's own, registered by an init function: netproto.Register(make(inbox)). Endpoints use it when their
// network is "inbox".
func ExampleRegister() {
	t, err := netproto.Get("inbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	ln, err := t.Listen(ctx, "inbox", "")
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
	conn, err := t.Dial(ctx, "inbox", "", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	fmt.Println(string(text), err)
	// Output: hello <nil>
}
