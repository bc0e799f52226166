package websocket

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// BenchmarkAgainstTCP shows calls over a websocket beside the same calls over TCP, each sub-protocol beside the protocol
// that is its kin. Rounds of both alternate, so that their ratio means something on a noisy machine.
func BenchmarkAgainstTCP(b *testing.B) {
	for _, tt := range []struct {
		name, codec string
		sub, tcp    proto.ProtoFunc
	}{
		{"raw", "protobuf", rawproto.NewRawProtoFunc(), rawproto.NewRawProtoFunc()},
		{"protobuf", "protobuf", pbSubProto.NewPbSubProtoFunc(), pbproto.NewPbProtoFunc()},
		{"json", "json", jsonSubProto.NewJSONSubProtoFunc(), jsonproto.NewJSONProtoFunc()},
	} {
		for _, callers := range []int{1, 100} {
			b.Run(tt.name+"/"+strconv.Itoa(callers)+"callers", func(b *testing.B) {
				ws := overWebSocket(b, addBenchEcho, tt.sub)
				tcp := conformance.TCP(b, addBenchEcho, tt.tcp)
				n := 200 * callers
				callMany(b, ws, tt.codec, callers, n)
				callMany(b, tcp, tt.codec, callers, n)
				var ours, theirs time.Duration
				rounds := 0
				for b.Loop() {
					ours += callMany(b, ws, tt.codec, callers, n)
					theirs += callMany(b, tcp, tt.codec, callers, n)
					rounds++
				}
				calls := float64(n * rounds)
				b.ReportMetric(calls/ours.Seconds(), "ws-calls/s")
				b.ReportMetric(calls/theirs.Seconds(), "tcp-calls/s")
				b.ReportMetric(float64(theirs)/float64(ours), "ratio")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// text is the body of the calls in JSON.
type text struct{ Text string }

func addBenchEcho(e drpc.Endpoint) {
	drpc.HandleCall(e, "/protobuf", func(_ drpc.CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *drpc.Status) {
		return arg, nil
	})
	drpc.HandleCall(e, "/json", func(_ drpc.CallCtx, arg *text) (*text, *drpc.Status) { return arg, nil })
}

// callMany makes n calls with that many callers and returns how long they took.
func callMany(b *testing.B, sess drpc.Session, codec string, callers, n int) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			var arg, reply any = wrapperspb.Bytes(make([]byte, 128)), new(wrapperspb.BytesValue)
			if codec == "json" {
				arg, reply = &text{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}, new(text)
			}
			for range n / callers {
				if stat := sess.Call("/"+codec, arg, reply, drpc.WithBodyCodec(codec)).Status(); stat != nil {
					b.Error(stat)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
