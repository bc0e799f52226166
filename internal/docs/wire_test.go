package docs

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// wirePages are the pages that show frames, and the meta of the call they show.
var wirePages = []struct {
	page string
	make proto.ProtoFunc
	meta map[string]any
}{
	{page: "raw", make: rawproto.NewRawProtoFunc()},
	{page: "json", make: jsonproto.NewJSONProtoFunc(), meta: map[string]any{"k": "v"}},
	{page: "protobuf", make: pbproto.NewPbProtoFunc(), meta: map[string]any{"k": "v"}},
	{page: "http", make: httpproto.NewHTTProtoFunc(), meta: map[string]any{"peer_id": "110"}},
	{page: "jsonrpc", make: jsonrpcproto.NewJSONRPCProtoFunc(), meta: map[string]any{"k": "v"}},
}

func TestWirePagesShowRealFrames(t *testing.T) {
	t.Parallel()
	for _, tt := range wirePages {
		t.Run(tt.page, func(t *testing.T) {
			t.Parallel()
			call := message.NewMessage(message.WithServiceMethod("/math/add"), message.WithBody([]int{1, 2}),
				message.WithBodyCodec("json"), message.WithSetMetas(tt.meta), message.WithMType(message.TypeCall))
			call.SetSeq(1)
			reply := message.NewMessage(message.WithStatus(status.New(404, "Not Found")), message.WithMType(message.TypeReply))
			reply.SetSeq(7)

			shown := hexFences(t, root+"/docs/wire/"+tt.page+".md")
			framer, ok := tt.make(nil).(proto.Framer)
			if !ok {
				t.Fatal("the protocol is no proto.Framer")
			}
			for name, m := range map[string]message.Message{"call": call, "reply": reply} {
				frame, err := framer.AppendFrame(nil, message.From(m))
				if err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(frame); got != shown[name] {
					t.Errorf("the page shows for %s\n%s\nand the code writes\n%s", name, shown[name], got)
				}
			}
		})
	}
}

// hexFences returns the hexadecimal fences of a document by name, without the remarks at the end of their lines.
func hexFences(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, f := range Parse(path, string(text)).Fences {
		name, ok := strings.CutPrefix(f.Info, "hex ")
		if !ok {
			continue
		}
		for line := range strings.Lines(f.Text) {
			digits, _, _ := strings.Cut(line, " ")
			out[name] += digits
		}
	}
	return out
}
