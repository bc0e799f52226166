package websocket

import (
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

// Client is an endpoint that dials over WebSocket, with TLS if it has a TLS configuration.
type Client struct {
	drpc.Endpoint
	dialer *dialer
}

// NewClient makes a client for the path rootPath, which may have a query. Like drpc.NewEndpoint it ends the process with
// a message if something is wrong with the configuration or a plugin.
func NewClient(rootPath string, cfg drpc.EndpointConfig, globalLeftPlugin ...drpc.Plugin) *Client {
	d := newDialer(rootPath, DialOptions{})
	// In front, so that what other plugins say to the peer goes through the websocket.
	plugins := append([]drpc.Plugin{d}, globalLeftPlugin...)
	return &Client{Endpoint: drpc.NewEndpoint(cfg, plugins...), dialer: d}
}

// SetOptions changes the options of connections made from now on.
func (c *Client) SetOptions(opts DialOptions) {
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	c.dialer.opts = opts
}

// Dial connects to addr, host and port, with the json sub-protocol if none is given. Of several only the first counts. The
// cause of its status says why, a [HandshakeError] where the server has refused.
func (c *Client) Dial(addr string, protoFunc ...proto.ProtoFunc) (drpc.Session, *status.Status) {
	sub := jsonSubProto.NewJSONSubProtoFunc()
	if len(protoFunc) > 0 && protoFunc[0] != nil {
		sub = protoFunc[0]
	}
	return c.Endpoint.Dial(addr, withAddress(addr, sub))
}

// DialJSON is Dial with the json sub-protocol.
func (c *Client) DialJSON(addr string) (drpc.Session, *status.Status) { return c.Dial(addr) }

// DialProtobuf is Dial with the protobuf sub-protocol.
func (c *Client) DialProtobuf(addr string) (drpc.Session, *status.Status) {
	return c.Dial(addr, pbSubProto.NewPbSubProtoFunc())
}
