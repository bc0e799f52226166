// Command proto_jsonrpc serves drpc handlers to JSON-RPC 2.0 peers of any make.
package main

import (
	"bufio"
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello, " + *name, nil
	})
	addr := demo.Serve(server, jsonrpcproto.NewJSONRPCProtoFunc())

	conn, err := net.Dial("tcp", addr)
	demo.Check(err)
	defer conn.Close()
	answers := bufio.NewScanner(conn)
	for _, request := range []string{
		`{"jsonrpc":"2.0","id":"a","method":"/greet","params":"gopher"}`,
		`{"jsonrpc":"2.0","id":2,"method":"/nobody"}`,
	} {
		fmt.Fprintln(conn, request)
		answers.Scan()
		fmt.Println(answers.Text())
	}
}

// Output:
// {"jsonrpc":"2.0","id":"a","result":"hello, gopher"}
// {"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"Method not found","data":{"code":404,"msg":"Not Found","cause":""}}}
