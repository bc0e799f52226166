package jsonproto_test

import (
	"bytes"
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
)

// A message on its way: packed by one end, unpacked by the other. An endpoint does this when it is given the protocol:
// srv.ListenAndServe(jsonproto.NewJSONProtoFunc()), cli.Dial(addr, jsonproto.NewJSONProtoFunc()).
func ExampleNewJSONProtoFunc() {
	var wire bytes.Buffer
	p := jsonproto.NewJSONProtoFunc()(&wire)
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
	fmt.Printf("% x %s\n", wire.Bytes()[:5], wire.Bytes()[5:])

	m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
	if err := p.Unpack(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(message.TypeText(m.MType()), m.ServiceMethod(), m.Meta().Get("author"), *m.Body().(*string))
	// Output:
	// 00 00 00 a4 00 {"seq":0,"mtype":3,"serviceMethod":"/say","status":"{\"code\":0,\"msg\":\"\",\"cause\":\"\"}","meta":"{\"author\":\"someone\"}","bodyCodec":106,"body":"\"hello\""}
	// PUSH /say someone hello
}
