package httpproto_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
)

// A call on its way: packed by one end, unpacked by the other. An endpoint does this when it is given the protocol:
// srv.ListenAndServe(httpproto.NewHTTProtoFunc()), cli.Dial(addr, httpproto.NewHTTProtoFunc()).
func ExampleNewHTTProtoFunc() {
	var wire bytes.Buffer
	p := httpproto.NewHTTProtoFunc()(&wire)
	err := p.Pack(message.NewMessage(
		message.WithMType(message.TypeCall),
		message.WithServiceMethod("/say"),
		message.WithSetMeta("Author", "someone"),
		message.WithBodyCodec("json"),
		message.WithBody("hello"),
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.ReplaceAll(wire.String(), "\r\n", "\n"))

	m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
	if err := p.Unpack(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(message.TypeText(m.MType()), m.ServiceMethod(), m.Meta().Get("Author"), *m.Body().(*string))
	// Output:
	// POST /say HTTP/1.1
	// Accept-Encoding: gzip
	// Author: someone
	// Content-Length: 7
	// Content-Type: application/json;charset=utf-8
	// User-Agent: drpc-httpproto/1.1
	// X-Mtype: 1
	// X-Seq: 0
	//
	// "hello"
	// CALL /say someone hello
}
