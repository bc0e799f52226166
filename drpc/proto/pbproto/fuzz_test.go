package pbproto_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/osgochina/dmicro/drpc/message"
	wire "github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// FuzzParseFrame: whatever comes, no panic; and a payload that we read, Protocol Buffers read alike.
func FuzzParseFrame(f *testing.F) {
	for _, tt := range goldens {
		f.Add(prototest.Golden(f, tt.Name))
	}
	f.Add(prototest.Golden(f, "old_reply_err_odd"))
	for _, m := range []message.Message{
		prototest.Call(9, message.WithTFilterPipe('5')),
		prototest.Call(9, message.WithTFilterPipe('z', 'a')),
		prototest.Failed(7, status.New(404, "Not Found", "c")),
	} {
		f.Add(kit.Pack(f, m))
	}
	f.Add(frame(fields(nil).varint(1, 1<<40|5).varint(2, 1).varint(2, 3).bytes(5, "null").bytes(9, "x")))
	f.Add([]byte{0, 0, 0, 2, 255, '5'})
	desc := payloadType(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		got := message.NewMessage(message.WithBody(new([]byte)))
		message.From(got).SetSizeLimit(1 << 20) // little, so that no time goes into inflating
		err := kit.Framer(t).ParseFrame(bytes.Clone(b), message.From(got))
		if len(b) < 5 || b[4] != 0 {
			return // filters are between us
		}
		theirs := dynamicpb.NewMessage(desc)
		theirErr := proto.Unmarshal(b[5:], theirs)
		if err != nil {
			return // we are stricter in what a field may hold
		}
		if theirErr != nil {
			t.Fatalf("they refuse: %v", theirErr)
		}
		get := func(n int) any { return theirs.Get(desc.Fields().Get(n - 1)).Interface() }
		if get(1) != got.Seq() || get(2) != int32(got.MType()) || get(3) != got.ServiceMethod() ||
			get(6) != int32(got.BodyCodec()) || !bytes.Equal(get(7).([]byte), *got.Body().(*[]byte)) {
			t.Errorf("we read %v, they %v", got, theirs)
		}
		if _, err = kit.Framer(t).AppendFrame(nil, message.From(got)); err != nil && !refusal(err) {
			t.Errorf("packing what was parsed: %v", err)
		}
	})
}

// FuzzRoundTrip: every message that is packed comes out as it went in.
func FuzzRoundTrip(f *testing.F) { kit.FuzzRoundTrip(f, refusal) }

func refusal(err error) bool {
	return errors.Is(err, wire.ErrHeaderTooLong) || errors.Is(err, pbproto.ErrNotText) ||
		errors.Is(err, message.ErrExceedMessageSizeLimit)
}

func BenchmarkFrame(b *testing.B) { kit.Benchmark(b) }
