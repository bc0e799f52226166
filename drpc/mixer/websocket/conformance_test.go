package websocket

import (
	"slices"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// subProtos are the sub-protocols: those that are made for websockets, those of every transport, and one without a fast
// path.
var subProtos = append([]conformance.Proto{
	{Name: subJSON, Make: jsonSubProto.NewJSONSubProtoFunc},
	{Name: "sub-protobuf", Make: pbSubProto.NewPbSubProtoFunc},
	{Name: "plain raw", Make: func() proto.ProtoFunc {
		return func(rw proto.IOWithReadBuffer) proto.Proto { return struct{ proto.Proto }{rawproto.RawProtoFunc(rw)} }
	}},
}, conformance.Protos...)

const subJSON = "sub-json"

// init adds what the json sub-protocol cannot carry to the table of all protocols: what json cannot, and filters.
func init() {
	var rows []conformance.Refusal
	for _, r := range conformance.Cannot {
		if r.Proto == "json" {
			r.Proto = subJSON
			rows = append(rows, r)
		}
	}
	for _, filters := range conformance.Filters {
		if filters != "" {
			rows = append(rows, conformance.Refusal{
				Proto: subJSON, Filters: filters, Err: jsonSubProto.ErrBinaryFilter, Why: "filters make bytes, a JSON string holds text",
			})
		}
	}
	conformance.Cannot = slices.Concat(rows, conformance.Cannot)
}

func overWebSocket(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) drpc.Session {
	server, client := newTestServer(t, "/ws", drpc.EndpointConfig{}), newTestClient(t, "/ws", drpc.EndpointConfig{})
	register(server)
	return dial(t, client, serve(t, server, pf), pf)
}
