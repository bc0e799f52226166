package docs

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/status"
)

func TestWirePageShowsRealFrames(t *testing.T) {
	t.Parallel()
	call := message.NewMessage(message.WithServiceMethod("/math/add"), message.WithBody([]int{1, 2}), message.WithBodyCodec("json"))
	call.SetSeq(1)
	call.SetMType(message.TypeCall)
	reply := message.NewMessage(message.WithStatus(status.New(404, "Not Found")))
	reply.SetSeq(7)
	reply.SetMType(message.TypeReply)

	shown := hexFences(t, root+"/docs/wire/raw.md")
	for name, m := range map[string]message.Message{"call": call, "reply": reply} {
		framer, ok := rawproto.RawProtoFunc(nil).(proto.Framer)
		if !ok {
			t.Fatal("the raw protocol is no proto.Framer")
		}
		frame, err := framer.AppendFrame(nil, message.From(m))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(frame); got != shown[name] {
			t.Errorf("the page shows for %s\n%s\nand the code writes\n%s", name, shown[name], got)
		}
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
