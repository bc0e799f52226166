package socket_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
)

// Two ends of one connection. Sessions do this, and much more; a socket is for those who want messages alone.
func ExampleNewSocket() {
	a, b := net.Pipe()
	sender, receiver := socket.NewSocket(a), socket.NewSocket(b)
	defer receiver.Close()
	defer sender.Close()
	sent := make(chan error, 1)
	go func() {
		sent <- sender.WriteMessage(message.NewMessage(
			message.WithMType(message.TypePush), message.WithServiceMethod("/say"),
			message.WithBodyCodec("json"), message.WithBody("hello")))
	}()
	m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
	if err := receiver.ReadMessage(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.ServiceMethod(), *m.Body().(*string), <-sent)
	// Output: /say hello <nil>
}
