package drpc

import (
	"bytes"
	"io"
	"net"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/internal/race"
)

// maxAllocs is how many allocations one side of a call may cost with protobuf bodies. Two of them are the value that
// the handler or the caller gets, which no implementation can avoid.
const maxAllocs = 4

func TestCallAllocatesLittle(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector makes sync.Pool drop buffers")
	}
	t.Run("both sides", func(t *testing.T) {
		sess := startEcho(t)
		arg, reply := wrapperspb.Bytes(make([]byte, benchBody)), new(wrapperspb.BytesValue)
		allocsAtMost(t, 2*maxAllocs, func() {
			if stat := sess.Call("/echo", arg, reply).Status(); stat != nil {
				t.Error(stat)
			}
		})
	})
	t.Run("server", func(t *testing.T) {
		srv := newPeer(t, EndpointConfig{DefaultBodyCodec: "protobuf"})
		HandleCall(srv, "/echo", func(_ CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *Status) {
			return arg, nil
		})
		conn, err := net.Dial("tcp", serve(t, srv))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		// A client that allocates nothing: it repeats one frame, and reads as many bytes as the reply has, whose parts
		// are those of the call without the service method.
		frame := echoFrame(t)
		answer := make([]byte, len(frame)-len("/echo"))
		allocsAtMost(t, maxAllocs/2, func() { // the argument and its bytes: a lone call runs on the reader
			if _, err := conn.Write(frame); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(conn, answer); err != nil {
				t.Error(err)
			}
		})
	})
}

// echoFrame is the frame of a call of /echo.
func echoFrame(t *testing.T) []byte {
	t.Helper()
	m := message.NewMessage(message.WithMType(TypeCall), message.WithServiceMethod("/echo"),
		message.WithBodyCodec("protobuf"), message.WithBody(wrapperspb.Bytes(make([]byte, benchBody))))
	m.SetSeq(1)
	var frame bytes.Buffer
	if err := rawproto.RawProtoFunc(&frame).Pack(m); err != nil {
		t.Fatal(err)
	}
	return frame.Bytes()
}

func allocsAtMost(t *testing.T, limit float64, call func()) {
	t.Helper()
	for range 1000 {
		call() // grows pools and stacks
	}
	if n := testing.AllocsPerRun(5000, call); n > limit {
		t.Errorf("%v allocations a call, allowed are %v", n, limit)
	}
}
