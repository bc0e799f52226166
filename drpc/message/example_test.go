package message_test

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
)

// The settings of a call are applied to its message in order.
func Example() {
	m := message.GetMessage(
		message.WithMType(message.TypeCall),
		message.WithServiceMethod("/math/add"),
		message.WithSetMeta("author", "someone"),
		message.WithBodyCodec("json"),
		message.WithBody([]int{1, 2, 3}),
	)
	defer message.PutMessage(m) // m must not be used afterwards
	body, err := m.MarshalBody()
	fmt.Println(message.TypeText(m.MType()), m.ServiceMethod(), m.Meta().Get("author"), string(body), err)
	// Output: CALL /math/add someone [1,2,3] <nil>
}

// A receiver decides what to decode into when it knows the header.
func ExampleWithNewBody() {
	m := message.NewMessage(message.WithNewBody(func(h message.Header) any {
		if h.ServiceMethod() == "/math/add" {
			return new([]int)
		}
		return nil
	}))
	m.SetServiceMethod("/math/add")
	m.SetBodyCodec(codec.JsonId)
	fmt.Println(m.UnmarshalBody([]byte("[1,2,3]")), *m.Body().(*[]int))
	// Output: <nil> [1 2 3]
}
