package peers

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// grpcEcho is the service, and grpcDesc describes it as generated code does.
type grpcEcho interface {
	Echo(context.Context, *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error)
}

const grpcMethod = "/bench.Echo/Echo"

var grpcDesc = grpc.ServiceDesc{
	ServiceName: "bench.Echo",
	HandlerType: (*grpcEcho)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: handleGrpc}},
}

func handleGrpc(srv any, ctx context.Context, dec func(any) error, inter grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.BytesValue)
	if err := dec(in); err != nil {
		return nil, err
	}
	if inter == nil {
		return srv.(grpcEcho).Echo(ctx, in)
	}
	info := &grpc.UnaryServerInfo{Server: srv, FullMethod: grpcMethod}
	return inter(ctx, in, info, func(ctx context.Context, req any) (any, error) {
		return srv.(grpcEcho).Echo(ctx, req.(*wrapperspb.BytesValue))
	})
}

// messageEcho answers with its argument; gRPC and storj.io/drpc have the same form of a service.
type messageEcho struct{}

// Echo answers with its argument.
func (messageEcho) Echo(_ context.Context, in *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	return in, nil
}

func grpcPeer() Peer {
	return Peer{Name: "grpc-go", About: "grpc-go v" + grpc.Version + ": protobuf, no TLS", Kind: Rival, Serve: serveGrpc, Dial: dialGrpc}
}

func serveGrpc() (Server, error) {
	ln, err := net.Listen("tcp", loopback)
	if err != nil {
		return Server{}, err
	}
	srv := grpc.NewServer()
	srv.RegisterService(&grpcDesc, messageEcho{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln) // nil once stopped
	}()
	return Server{Addr: ln.Addr().String(), Stop: func() {
		srv.Stop()
		<-ended
	}}, nil
}

func dialGrpc(addr string) (Client, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return connection{
		caller: func(body []byte) func() ([]byte, error) {
			req := wrapperspb.Bytes(body)
			return func() ([]byte, error) {
				reply := new(wrapperspb.BytesValue)
				err := conn.Invoke(context.Background(), grpcMethod, req, reply)
				return reply.Value, err
			}
		},
		close: conn.Close,
	}, nil
}
