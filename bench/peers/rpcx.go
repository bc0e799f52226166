package peers

import (
	"context"
	"net"
	"sync"

	"github.com/smallnest/rpcx/client"
	rpcxlog "github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// rpcxEcho is the receiver that rpcx calls.
type rpcxEcho struct{}

// Echo answers with its argument.
func (rpcxEcho) Echo(_ context.Context, req *wrapperspb.BytesValue, reply *wrapperspb.BytesValue) error {
	reply.Value = req.Value
	return nil
}

func rpcxPeer() Peer {
	return Peer{Name: "rpcx", About: "rpcx v1.9.1: protobuf", Kind: Rival, Serve: serveRpcx, Dial: dialRpcx}
}

// silenceRpcx turns off a log that writes each connection. Its logger is a plain variable.
var silenceRpcx = sync.OnceFunc(rpcxlog.SetDummyLogger)

func serveRpcx() (Server, error) {
	silenceRpcx()
	srv := server.NewServer()
	if err := srv.RegisterName("Echo", rpcxEcho{}, ""); err != nil {
		return Server{}, err
	}
	ln, err := net.Listen("tcp", loopback)
	if err != nil {
		return Server{}, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.ServeListener("tcp", ln) // ends with an error once closed
	}()
	return Server{Addr: ln.Addr().String(), Stop: func() {
		_ = srv.Close()
		_ = ln.Close() // a server that has not come to serving yet knows no listener
		<-ended
	}}, nil
}

func dialRpcx(addr string) (Client, error) {
	silenceRpcx()
	opt := client.DefaultOption
	opt.SerializeType = protocol.ProtoBuffer
	c := client.NewClient(opt)
	if err := c.Connect("tcp", addr); err != nil {
		return nil, err
	}
	return connection{
		caller: func(body []byte) func() ([]byte, error) {
			req := wrapperspb.Bytes(body)
			return func() ([]byte, error) {
				reply := new(wrapperspb.BytesValue)
				err := c.Call(context.Background(), "Echo", "Echo", req, reply)
				return reply.Value, err
			}
		},
		close: c.Close,
	}, nil
}
