package peers

import (
	"os"
	"path/filepath"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// OverUnix and OverWebSocket are the rows that are held to something beside OverTCP.
const (
	OverTCP       = "tcp"
	OverUnix      = "unix"
	OverWebSocket = "websocket"
)

// Transports returns DMicro over one transport after the other. The first is TCP, which all others are compared with.
func Transports() []Peer {
	webSocket := variant{make: overWebSocket}
	with := func(v variant, change func(*variant)) variant { change(&v); return v }
	return []Peer{
		variant{}.peer(OverTCP, "TCP: raw protocol, protobuf body", Ours),
		variant{setup: Secure}.peer("tcp-tls", "the same with TLS 1.3", Ours),
		variant{network: "unix"}.peer(OverUnix, "a unix socket", Ours),
		variant{network: "unixpacket"}.peer("unixpacket", "a unix socket that keeps packets apart", Ours),
		variant{network: "kcp"}.peer("kcp", "KCP over UDP, with error correction", Ours),
		variant{network: "quic", setup: Secure}.peer("quic", "QUIC over UDP, with TLS 1.3", Ours),
		with(webSocket, func(v *variant) { v.proto = speaking(pbSubProto.NewPbSubProtoFunc()) }).
			peer(OverWebSocket, "WebSocket over TCP: protobuf sub-protocol, protobuf body", Ours),
		with(webSocket, func(v *variant) { v.proto = speaking(rawproto.NewRawProtoFunc()) }).
			peer("websocket-raw", "the raw protocol as sub-protocol", Ours),
		with(webSocket, func(v *variant) { v.proto, v.json = speaking(jsonSubProto.NewJSONSubProtoFunc()), true }).
			peer("websocket-json", "the json sub-protocol, JSON body (bytes as base64)", Ours),
		with(webSocket, func(v *variant) { v.proto, v.setup = speaking(pbSubProto.NewPbSubProtoFunc()), Secure }).
			peer("wss", "the protobuf sub-protocol with TLS 1.3", Ours),
	}
}

// overWebSocket makes an endpoint of package websocket.
func overWebSocket(server bool, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
	if server {
		return websocket.NewServer("/", cfg, plugins...), nil
	}
	return websocket.NewClient("/", cfg, plugins...), nil
}

// socketFile is a path for a unix socket, and a function that removes what it lies in.
func socketFile() (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "s"), func() { _ = os.RemoveAll(dir) }, nil // it is in the system's folder for such things
}
