package rawproto_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

func TestMain(m *testing.M) {
	tfilter.RegGzip(5)
	tfilter.RegMD5()
	tfilter.RegAES([]byte("0123456789abcdef"))
	os.Exit(m.Run())
}

// golden returns the frame in testdata/name.hex.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	frame, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// wire is both ends of a connection in memory.
type wire struct{ bytes.Buffer }

// framer returns the protocol as the fast path sees it. It has no connection.
func framer(t testing.TB) proto.Framer {
	t.Helper()
	f, ok := rawproto.RawProtoFunc(nil).(proto.Framer)
	if !ok {
		t.Fatal("raw has no fast path")
	}
	return f
}

// pack returns the frame of m, and that of Pack after checking that it is the same one.
func pack(t testing.TB, m message.Message) []byte {
	t.Helper()
	frame, err := framer(t).AppendFrame(nil, message.From(m))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	var w wire
	if err = rawproto.RawProtoFunc(&w).Pack(m); err != nil {
		t.Fatalf("pack: %v", err)
	}
	if !bytes.Equal(w.Bytes(), frame) {
		t.Fatalf("Pack and AppendFrame differ:\n%x\n%x", w.Bytes(), frame)
	}
	return frame
}

// both parses frame with ParseFrame and with Unpack. newBody may be nil.
func both(t testing.TB, frame []byte, newBody func() any) map[string]parsed {
	t.Helper()
	settings := func() (s []message.MsgSetting) {
		if newBody != nil {
			s = append(s, message.WithBody(newBody()))
		}
		return s
	}
	fast := message.NewMessage(settings()...)
	fastErr := framer(t).ParseFrame(frame, message.From(fast))
	slow := message.NewMessage(settings()...)
	var w wire
	w.Write(frame)
	slowErr := rawproto.RawProtoFunc(&w).Unpack(slow)
	return map[string]parsed{"ParseFrame": {fast, fastErr}, "Unpack": {slow, slowErr}}
}

type parsed struct {
	message.Message
	err error
}

// payload puts a frame without filters around the parts given.
func payload(parts ...string) []byte {
	body := strings.Join(parts, "")
	n := len(body) + 6
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 1, 0}, body...)
}
