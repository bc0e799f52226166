package peers

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/lesismal/arpc"
	arpclog "github.com/lesismal/arpc/log"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// protoCodec codes protobuf messages for peers that bring no such codec.
type protoCodec struct{}

// Marshal codes a protobuf message.
func (protoCodec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", v)
	}
	return proto.Marshal(m)
}

// Unmarshal decodes a protobuf message.
func (protoCodec) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no protobuf message", v)
	}
	return proto.Unmarshal(data, m)
}

func arpcPeer() Peer {
	return Peer{
		Name: "arpc", About: "arpc v1.2.17: protobuf, handlers in the reading goroutine (its default)", Kind: Rival,
		Serve: serveArpc, Dial: dialArpc,
	}
}

// silenceArpc turns off a log that writes each connection to standard output. Its level is a plain variable.
var silenceArpc = sync.OnceFunc(func() { arpclog.SetLevel(arpclog.LevelNone) })

func serveArpc() (Server, error) {
	silenceArpc()
	srv := arpc.NewServer()
	srv.Codec = protoCodec{}
	srv.Handler.Handle(echoMethod, func(ctx *arpc.Context) {
		req := new(wrapperspb.BytesValue)
		if err := ctx.Bind(req); err != nil {
			_ = ctx.Error(err) // the connection is gone if that fails
			return
		}
		_ = ctx.Write(req)
	})
	ln, err := net.Listen("tcp", loopback)
	if err != nil {
		return Server{}, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln) // ends with an error once stopped
	}()
	return Server{Addr: ln.Addr().String(), Stop: func() {
		_ = srv.Stop()
		<-ended
	}}, nil
}

func dialArpc(addr string) (Client, error) {
	silenceArpc()
	c, err := arpc.NewClient(func() (net.Conn, error) { return net.Dial("tcp", addr) })
	if err != nil {
		return nil, err
	}
	c.Codec = protoCodec{}
	return connection{
		caller: func(body []byte) func() ([]byte, error) {
			req := wrapperspb.Bytes(body)
			return func() ([]byte, error) {
				reply := new(wrapperspb.BytesValue)
				err := c.CallContext(context.Background(), echoMethod, req, reply)
				return reply.Value, err
			}
		},
		close: func() error {
			c.Stop()
			return nil
		},
	}, nil
}
