// Command custom_proto runs a server and a client that speak a protocol of the program's own, see line.go, and then
// speaks it to the server by hand.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/osgochina/dmicro/drpc"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// sum answers /sum.
func sum(_ drpc.CallCtx, numbers *[]int) (int, *drpc.Status) {
	n := 0
	for _, i := range *numbers {
		n += i
	}
	return n, nil
}

// listening tells where an endpoint listens, as soon as it does.
type listening chan net.Addr

func (listening) Name() string { return "listening" }

func (l listening) AfterListen(addr net.Addr) error {
	l <- addr
	return nil
}

func run(out io.Writer) error {
	where := make(listening, 1)
	server, err := drpc.New(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, where)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	drpc.HandleCall(server, "/sum", sum)
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe(newLine) }()

	var addr net.Addr
	select {
	case addr = <-where:
	case err = <-failed:
		return err
	}
	if err = call(out, addr.String()); err != nil {
		return err
	}
	if err = byHand(out, addr.String()); err != nil {
		return err
	}
	if err = server.Close(); err != nil {
		return err
	}
	if err = <-failed; !errors.Is(err, drpc.ErrListenClosed) {
		return err
	}
	return nil
}

// call uses the protocol as any other: both sides are given it, nothing else changes.
func call(out io.Writer, addr string) error {
	client, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	sess, stat := client.Dial(addr, newLine)
	if !stat.OK() {
		return fmt.Errorf("dial: %v", stat)
	}
	var n int
	if stat = sess.Call("/sum", []int{1, 2, 3, 4, 5}, &n).Status(); !stat.OK() {
		return fmt.Errorf("call: %v", stat)
	}
	fmt.Fprintln(out, "client got:", n)
	fmt.Fprintln(out, "client got:", sess.Call("/nothing", nil, nil).Status().Msg())
	return nil
}

// byHand writes a call as a person with netcat would.
func byHand(out io.Writer, addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err = fmt.Fprintf(conn, "1 %d /sum 0 [20,22]\n", drpc.TypeCall); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Fprint(out, "by hand:    ", answer)
	return nil
}
