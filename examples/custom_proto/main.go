// Command custom_proto runs a server and a client that speak a protocol of the program's own, see line.go, and then
// speaks it to the server by hand.
package main

import (
	"bufio"
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

// sum answers /sum.
func sum(_ drpc.CallCtx, numbers *[]int) (int, *drpc.Status) {
	n := 0
	for _, i := range *numbers {
		n += i
	}
	return n, nil
}

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/sum", sum)
	addr := demo.Serve(server, newLine)

	// Both sides are given the protocol; nothing else changes.
	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr, newLine)
	demo.OK(stat)
	var n int
	demo.OK(sess.Call("/sum", []int{1, 2, 3, 4, 5}, &n).Status())
	fmt.Println("client got:", n)
	fmt.Println("client got:", sess.Call("/nothing", nil, nil).Status().Msg())

	// As a person with netcat would.
	conn, err := net.Dial("tcp", addr)
	demo.Check(err)
	defer conn.Close()
	fmt.Fprintf(conn, "1 %d /sum 0 [20,22]\n", drpc.TypeCall)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	demo.Check(err)
	fmt.Print("by hand:    ", answer)
}

// Output:
// client got: 15
// client got: Not Found
// by hand:    1 2 - 0 42
