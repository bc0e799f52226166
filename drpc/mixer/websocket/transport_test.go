package websocket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/transporttest"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
)

// transport is WebSocket as the suite of all transports sees it: with the protobuf sub-protocol, which carries any bytes.
var transport = transporttest.Transport{
	Name: "websocket", Network: "tcp", Protos: subProtos,
	Server: func(cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
		return protobufServer{NewServer("/", cfg, plugins...)}, nil
	},
	Client: func(cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
		return protobufClient{NewClient("/", cfg, plugins...)}, nil
	},
	Beginning: testFrame(0x82, "0123456789")[:8],
	Upgrade: func(conn net.Conn) (net.Conn, error) {
		if _, err := io.WriteString(conn, goodRequest+"\r\n"); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil) // the smallest: it must not read ahead
		if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("handshake: %s", resp.Status)
		}
		return conn, err
	},
}

type protobufServer struct{ *Server }

func (s protobufServer) ListenAndServe(pf ...proto.ProtoFunc) error {
	return s.Server.ListenAndServe(orProtobuf(pf)...)
}

type protobufClient struct{ *Client }

func (c protobufClient) Dial(addr string, pf ...proto.ProtoFunc) (drpc.Session, *drpc.Status) {
	return c.Client.Dial(addr, orProtobuf(pf)...)
}

func orProtobuf(pf []proto.ProtoFunc) []proto.ProtoFunc {
	if len(pf) == 0 {
		pf = append(pf, pbSubProto.NewPbSubProtoFunc())
	}
	return pf
}

func TestTransport(t *testing.T) { transporttest.Run(t, transport) }
