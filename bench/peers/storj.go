package peers

import (
	"context"
	"net"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"
)

// storjCodec is protobuf as the generated code of storj.io/drpc has it, with the form that appends to a buffer.
type storjCodec struct{ protoCodec }

// MarshalAppend appends a coded message.
func (storjCodec) MarshalAppend(buf []byte, msg drpc.Message) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend(buf, msg.(proto.Message))
}

// Marshal codes a message.
func (c storjCodec) Marshal(msg drpc.Message) ([]byte, error) { return c.protoCodec.Marshal(msg) }

// Unmarshal decodes a message.
func (c storjCodec) Unmarshal(buf []byte, msg drpc.Message) error {
	return c.protoCodec.Unmarshal(buf, msg)
}

// storjDesc describes the service as generated code does.
type storjDesc struct{}

// NumMethods is how many methods there are.
func (storjDesc) NumMethods() int { return 1 }

// Method describes the nth method.
func (storjDesc) Method(n int) (string, drpc.Encoding, drpc.Receiver, any, bool) {
	if n != 0 {
		return "", nil, nil, nil, false
	}
	receive := func(srv any, ctx context.Context, in, _ any) (drpc.Message, error) {
		return srv.(messageEcho).Echo(ctx, in.(*wrapperspb.BytesValue))
	}
	return echoMethod, storjCodec{}, receive, messageEcho.Echo, true
}

func storjPeer() Peer {
	return Peer{
		Name: "storj/drpc", About: "storj.io/drpc v0.0.34: protobuf; by design one call at a time a connection", Kind: Rival,
		Serve: serveStorj, Dial: dialStorj,
	}
}

func serveStorj() (Server, error) {
	mux := drpcmux.New()
	if err := mux.Register(messageEcho{}, storjDesc{}); err != nil {
		return Server{}, err
	}
	ln, err := net.Listen("tcp", loopback)
	if err != nil {
		return Server{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = drpcserver.New(mux).Serve(ctx, ln) // nil once cancelled
	}()
	return Server{Addr: ln.Addr().String(), Stop: func() {
		cancel()
		<-ended
	}}, nil
}

func dialStorj(addr string) (Client, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := drpcconn.New(raw)
	return connection{
		caller: func(body []byte) func() ([]byte, error) {
			req := wrapperspb.Bytes(body)
			return func() ([]byte, error) {
				reply := new(wrapperspb.BytesValue)
				err := conn.Invoke(context.Background(), echoMethod, storjCodec{}, req, reply)
				return reply.Value, err
			}
		},
		close: conn.Close,
	}, nil
}
