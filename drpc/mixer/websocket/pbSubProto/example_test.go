package pbSubProto_test

import (
	"bytes"
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
)

// A message on its way: packed by one end, unpacked by the other. An endpoint does this when it is given the protocol:
// websocket.Options{SubProto: pbSubProto.NewPbSubProtoFunc()}, cli.Dial(addr, pbSubProto.NewPbSubProtoFunc()).
func ExampleNewPbSubProtoFunc() {
	var wire bytes.Buffer
	p := pbSubProto.NewPbSubProtoFunc()(&wire)
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
	// "\x10\x03\x1a\x04/say\"\x14{\"author\":\"someone\"}(j2\a\"hello\""
	// PUSH /say someone hello
}
