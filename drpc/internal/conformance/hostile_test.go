package conformance

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/internal/conntest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// mutatedFrames is how many changed frames the live servers of all protocols get together.
const mutatedFrames = 20_000

// sum answers the honest client of the tests below.
func sum(_ drpc.CallCtx, arg *[]int) (int, *drpc.Status) {
	n := 0
	for _, i := range *arg {
		n += i
	}
	return n, nil
}

// honest fails the test unless the server answers over sess.
func honest(t *testing.T, sess drpc.Session) {
	t.Helper()
	var n int
	if stat := sess.Call("/sum", []int{1, 2, 3}, &n).Status(); stat != nil || n != 6 {
		t.Errorf("an honest client got %d, %v", n, stat)
	}
}

// TestMutatedFramesLeaveNothingBehind takes every protocol in turn, because it counts the descriptors and the memory of
// the process.
func TestMutatedFramesLeaveNothingBehind(t *testing.T) {
	registerFilters()
	for _, p := range Protos {
		t.Run(p.Name, func(t *testing.T) {
			sess := TCP(t, func(e drpc.Endpoint) { drpc.HandleCall(e, "/sum", sum) }, p.Make())
			frames := honestFrames(t, p)
			honest(t, sess)
			fds, heap := conntest.Descriptors(), heapInUse()
			attack(t, sess, frames, mutatedFrames/len(Protos))
			honest(t, sess)
			polltest.Until(t, "descriptors are back to what they were", func() bool { return conntest.Descriptors() <= fds })
			if grown := int64(heapInUse()) - int64(heap); grown > 64<<20 {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
		})
	}
}

// attack sends n changed frames, each over a connection of its own, while an honest client goes on.
func attack(t *testing.T, sess drpc.Session, frames [][]byte, n int) {
	const attackers = 8
	addr := sess.RemoteAddr()
	var wg sync.WaitGroup
	for a := range uint64(attackers) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(a, uint64(n)))
			for i := range n / attackers {
				if err := throw(addr, mutate(rng, frames[rng.IntN(len(frames))])); err != nil {
					t.Error(err)
					return
				}
				if i%100 == 0 {
					honest(t, sess)
				}
			}
		})
	}
	wg.Wait()
}

// throw sends b and waits until the server has closed the connection. How the server takes it is its business.
func throw(addr net.Addr, b []byte) error {
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err = conn.Write(b); err != nil {
		return nil // refused before it was through
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	if _, err = io.Copy(io.Discard, conn); os.IsTimeout(err) {
		return fmt.Errorf("the server held on to a connection that had ended, after %q", b)
	}
	return nil
}

// mutate changes a frame in one to four places.
func mutate(rng *rand.Rand, frame []byte) []byte {
	b := bytes.Clone(frame)
	for range 1 + rng.IntN(4) {
		switch at := rng.IntN(len(b)); rng.IntN(5) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b[at] = byte(rng.Uint32())
		case 2:
			b = append(b[:at], append([]byte{byte(rng.Uint32())}, b[at:]...)...)
		case 3:
			if len(b) > 1 {
				b = append(b[:at], b[at+1:]...)
			}
		case 4:
			b = append(b, b[at:]...)
		}
	}
	return b
}

// honestFrames are what an honest peer might send first.
func honestFrames(t *testing.T, p Proto) [][]byte {
	var frames [][]byte
	for _, settings := range [][]message.MsgSetting{
		nil,
		{message.WithSetMeta("a", "1"), message.WithSetMeta(message.MetaAcceptBodyCodec, "106")},
		{message.WithTFilterPipe(tfilter.GzipId)},
		{message.WithMType(drpc.TypeReply), message.WithStatus(drpc.NewStatus(404, "nothing", "there"))},
	} {
		m := message.NewMessage(append([]message.MsgSetting{
			message.WithMType(drpc.TypeCall), message.WithServiceMethod("/sum"),
			message.WithBodyCodec("json"), message.WithBody([]int{1, 2, 3}),
		}, settings...)...)
		m.SetSeq(7)
		var frame bytes.Buffer
		if err := p.Make()(&frame).Pack(m); err == nil { // what a protocol cannot carry is tested elsewhere
			frames = append(frames, frame.Bytes())
		}
	}
	if len(frames) < 2 {
		t.Fatalf("only %d frames", len(frames))
	}
	return frames
}

// bombs put a frame around a payload that passed gzip the given number of times, in the protocols that can have such a
// payload; http has it once.
var bombs = map[string]func(payload []byte, times int) []byte{
	"raw": func(payload []byte, times int) []byte {
		head := binary.BigEndian.AppendUint32(nil, uint32(6+times+len(payload)))
		return filtered(append(head, 1), payload, times)
	},
	"json":     prefixedBomb,
	"protobuf": prefixedBomb,
	"http": func(payload []byte, _ int) []byte {
		return append(fmt.Appendf(nil, "POST /sum HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"+
			"Content-Encoding: gzip\r\nX-Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(payload)), payload...)
	},
}

func prefixedBomb(payload []byte, times int) []byte {
	return filtered(binary.BigEndian.AppendUint32(nil, uint32(1+times+len(payload))), payload, times)
}

func filtered(head, payload []byte, times int) []byte {
	head = append(append(head, byte(times)), bytes.Repeat([]byte{tfilter.GzipId}, times)...)
	return append(head, payload...)
}

// zip compresses b.
func zip(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFrameThatInflatesWithoutEndIsRefused(t *testing.T) {
	registerFilters()
	const frameSize, zeros = 2 << 20, 4 << 20
	// A gzip stream may have many members, and is as cheap to make as one of them. gzip has no more than 2 GiB in 2 MB, but
	// it passes a second time.
	member := zip(t, make([]byte, zeros))
	once := bytes.Repeat(member, frameSize/len(member))
	twice := zip(t, bytes.Repeat(member, 4<<30/zeros))
	for _, p := range Protos {
		build := bombs[p.Name]
		if build == nil {
			continue // no filters at all
		}
		t.Run(p.Name, func(t *testing.T) {
			sess := TCP(t, func(e drpc.Endpoint) { drpc.HandleCall(e, "/sum", sum) }, p.Make())
			honest(t, sess)
			for what, frame := range map[string][]byte{"2 GiB": build(once, 1), "4 GiB": build(twice, 2)} {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				if err := throw(sess.RemoteAddr(), frame); err != nil {
					t.Error(err)
				}
				runtime.ReadMemStats(&after)
				if grown := int64(after.HeapSys+after.StackSys) - int64(before.HeapSys+before.StackSys); grown > 16<<20 {
					t.Errorf("%s: memory has grown by %d bytes", what, grown)
				}
			}
			honest(t, sess)
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
