package jsonSubProto_test

import (
	"bytes"
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
)

// A message on its way: packed by one end, unpacked by the other. An endpoint does this when it is given the protocol:
// websocket.Options{SubProto: jsonSubProto.NewJSONSubProtoFunc()}, cli.Dial(addr, jsonSubProto.NewJSONSubProtoFunc()).
func ExampleNewJSONSubProtoFunc() {
	var wire bytes.Buffer
	p := jsonSubProto.NewJSONSubProtoFunc()(&wire)
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
	fmt.Println(wire.String())

	m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
	if err := p.Unpack(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(message.TypeText(m.MType()), m.ServiceMethod(), m.Meta().Get("author"), *m.Body().(*string))
	// Output:
	// {"seq":0,"mtype":3,"serviceMethod":"/say","meta":"{\"author\":\"someone\"}","bodyCodec":106,"body":"\"hello\"","ptf":[]}
	// PUSH /say someone hello
}
