package rawproto_test

import (
	"bytes"
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// A message on its way: packed by one end, unpacked by the other. An endpoint does this when it is given the protocol:
// srv.ListenAndServe(rawproto.NewRawProtoFunc()), cli.Dial(addr, rawproto.NewRawProtoFunc()).
func ExampleNewRawProtoFunc() {
	var wire bytes.Buffer
	p := rawproto.NewRawProtoFunc()(&wire)
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
	fmt.Printf("%q\n", wire.String())

	m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
	if err := p.Unpack(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(message.TypeText(m.MType()), m.ServiceMethod(), m.Meta().Get("author"), *m.Body().(*string))
	// Output:
	// "\x00\x00\x00L\x01\x00\x010\x03\x04/say\x00\x1e{\"code\":0,\"msg\":\"\",\"cause\":\"\"}\x00\x14{\"author\":\"someone\"}j\"hello\""
	// PUSH /say someone hello
}
