package jsonrpcproto_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
)

// A message on its way: packed by one end, unpacked by the other. An endpoint does this when it is given the protocol:
// srv.ListenAndServe(jsonrpcproto.NewJSONRPCProtoFunc()), cli.Dial(addr, jsonrpcproto.NewJSONRPCProtoFunc()).
func ExampleNewJSONRPCProtoFunc() {
	var wire bytes.Buffer
	p := jsonrpcproto.NewJSONRPCProtoFunc()(&wire)
	err := p.Pack(message.NewMessage(
		message.WithMType(message.TypePush),
		message.WithServiceMethod("/say"),
		message.WithSetMeta("author", "someone"),
		message.WithBodyCodec("json"),
		message.WithBody("hello"),
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.TrimSpace(wire.String()))

	m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
	if err := p.Unpack(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(message.TypeText(m.MType()), m.ServiceMethod(), m.Meta().Get("author"), *m.Body().(*string))
	// Output:
	// {"jsonrpc":"2.0","method":"/say","params":"hello","context":{"author":"someone"}}
	// PUSH /say someone hello
}
