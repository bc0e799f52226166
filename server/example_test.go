package server_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/server"
)

func ExampleNew() {
	srv, err := server.New("calculator",
		server.OptListenAddress("127.0.0.1:0"), // a free port; servers have a fixed one
		server.OptWithoutRegistry(),            // its clients know the address
		server.OptServiceVersion("1.2.0"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	drpc.HandleCall(srv, "/sum", func(_ drpc.CallCtx, arg *[]int) (int, *drpc.Status) {
		sum := 0
		for _, n := range *arg {
			sum += n
		}
		return sum, nil
	})
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	for !srv.Ready() { // it needs a moment
		time.Sleep(time.Millisecond)
	}

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial(srv.Addrs()[0].String())
	if !stat.OK() {
		fmt.Println(stat)
		return
	}
	var sum int
	fmt.Println(sess.Call("/sum", []int{1, 2, 3}, &sum).Status().OK(), sum)

	if err := sess.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(srv.Shutdown(context.Background()), errors.Is(<-served, drpc.ErrListenClosed))
	// Output:
	// true 6
	// <nil> true
}

func ExampleAddressError() {
	_, err := server.New("calculator", server.OptListenAddress("localhost"))
	var bad *server.AddressError
	fmt.Println(errors.As(err, &bad))
	// Output: true
}
