package drpc

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

// benchBody is the size in bytes of what is echoed.
const benchBody = 128

// startEcho serves an echo and returns a session to it.
func startEcho(tb testing.TB, plugins ...Plugin) Session {
	srv := newPeer(tb, EndpointConfig{DefaultBodyCodec: "protobuf"}, plugins...)
	HandleCall(srv, "/echo", func(_ CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *Status) {
		return arg, nil
	})
	cli := newPeer(tb, EndpointConfig{DefaultBodyCodec: "protobuf"}, plugins...)
	return dial(tb, cli, serve(tb, srv))
}

// callEcho makes n calls with that many callers.
func callEcho(tb testing.TB, sess Session, callers, n int) {
	share(callers, n, func(n int) {
		arg := wrapperspb.Bytes(make([]byte, benchBody))
		var reply wrapperspb.BytesValue
		for range n {
			if stat := sess.Call("/echo", arg, &reply).Status(); stat != nil || len(reply.Value) != benchBody {
				tb.Errorf("%v, %d bytes", stat, len(reply.Value))
				return
			}
		}
	})
}

// share runs n pieces of work on that many goroutines.
func share(callers, n int, work func(n int)) {
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { work((n + i) / callers) })
	}
	wg.Wait()
}

// BenchmarkCall is the time and the allocations of a call, both sides together, over one loopback connection.
func BenchmarkCall(b *testing.B) {
	for _, callers := range []int{1, 100} {
		b.Run(strconv.Itoa(callers)+"callers", func(b *testing.B) {
			sess := startEcho(b)
			callEcho(b, sess, callers, 1000)
			b.ReportAllocs()
			b.ResetTimer()
			callEcho(b, sess, callers, b.N)
		})
	}
}

// BenchmarkAgainstMux shows a call beside what the machine can do: a mux of bare frames that knows no messages, codecs
// or hooks, with a goroutine for each request and a writer that combines. Rounds of both alternate, so that their ratio
// means something on a noisy machine.
func BenchmarkAgainstMux(b *testing.B) {
	const round = 20_000
	for _, callers := range []int{1, 100} {
		b.Run(strconv.Itoa(callers)+"callers", func(b *testing.B) {
			sess := startEcho(b)
			mux := startMux(b)
			n := round
			if callers == 1 {
				n /= 10
			}
			callEcho(b, sess, callers, n)
			mux.callEcho(b, callers, n)
			var ours, floor time.Duration
			rounds := 0
			for b.Loop() {
				start := time.Now()
				callEcho(b, sess, callers, n)
				ours += time.Since(start)
				start = time.Now()
				mux.callEcho(b, callers, n)
				floor += time.Since(start)
				rounds++
			}
			calls := float64(n * rounds)
			b.ReportMetric(calls/ours.Seconds(), "calls/s")
			b.ReportMetric(calls/floor.Seconds(), "mux-calls/s")
			b.ReportMetric(float64(floor)/float64(ours), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkPlugins is the cost of hooks: the same calls without plugins, and with one and five that take part in
// every write and read.
func BenchmarkPlugins(b *testing.B) {
	for _, n := range []int{0, 1, 5} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var plugins []Plugin
			for i := range n {
				plugins = append(plugins, busyPlugin("busy"+strconv.Itoa(i)))
			}
			sess := startEcho(b, plugins...)
			callEcho(b, sess, 100, 1000)
			b.ReportAllocs()
			b.ResetTimer()
			callEcho(b, sess, 100, b.N)
		})
	}
}

// busyPlugin takes part in the hooks of the message path that do not wait for the write, and does nothing.
type busyPlugin string

func (p busyPlugin) Name() string                         { return string(p) }
func (busyPlugin) BeforeWriteCall(WriteCtx) *Status       { return nil }
func (busyPlugin) BeforeWriteReply(WriteCtx) *Status      { return nil }
func (busyPlugin) AfterReadCallHeader(ReadCtx) *Status    { return nil }
func (busyPlugin) AfterReadCallBody(ReadCtx) *Status      { return nil }
func (busyPlugin) AfterReadReplyHeader(ReadCtx) *Status   { return nil }
func (busyPlugin) AfterReadReplyBody(ctx ReadCtx) *Status { return nil }

// mux is a client and a server of bare frames: 4 bytes length, 4 bytes sequence number, payload.
type mux struct {
	client  *muxConn
	mu      sync.Mutex
	pending map[uint32]chan []byte
	seq     uint32
}

func startMux(tb testing.TB) *mux {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		s := &muxConn{conn: c}
		s.read(func(seq uint32, payload []byte) { go s.write(seq, payload) })
	})
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	m := &mux{client: &muxConn{conn: c}, pending: make(map[uint32]chan []byte)}
	wg.Go(func() {
		m.client.read(func(seq uint32, payload []byte) {
			m.mu.Lock()
			ch := m.pending[seq]
			delete(m.pending, seq)
			m.mu.Unlock()
			ch <- payload
		})
	})
	tb.Cleanup(func() {
		_ = c.Close()
		wg.Wait()
	})
	return m
}

func (m *mux) callEcho(tb testing.TB, callers, n int) {
	share(callers, n, func(n int) {
		payload := make([]byte, benchBody)
		ch := make(chan []byte, 1)
		for range n {
			m.mu.Lock()
			m.seq++
			seq := m.seq
			m.pending[seq] = ch
			m.mu.Unlock()
			m.client.write(seq, payload)
			if got := <-ch; len(got) != benchBody {
				tb.Errorf("%d bytes", len(got))
			}
		}
	})
}

// muxConn combines the frames of concurrent writers as the outbox does.
type muxConn struct {
	conn     net.Conn
	mu       sync.Mutex
	pending  []byte
	spare    []byte
	flushing bool
}

func (c *muxConn) write(seq uint32, payload []byte) {
	c.mu.Lock()
	c.pending = binary.BigEndian.AppendUint32(c.pending, uint32(8+len(payload)))
	c.pending = binary.BigEndian.AppendUint32(c.pending, seq)
	c.pending = append(c.pending, payload...)
	if c.flushing {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	c.mu.Unlock()
	runtime.Gosched()
	for {
		c.mu.Lock()
		if len(c.pending) == 0 {
			c.flushing = false
			c.mu.Unlock()
			return
		}
		out := c.pending
		c.pending = c.spare[:0]
		c.mu.Unlock()
		if _, err := c.conn.Write(out); err != nil {
			return
		}
		c.mu.Lock()
		c.spare = out
		c.mu.Unlock()
	}
}

func (c *muxConn) read(each func(seq uint32, payload []byte)) {
	defer func() { _ = c.conn.Close() }()
	buf := make([]byte, 64<<10)
	filled := 0
	for {
		n, err := c.conn.Read(buf[filled:])
		if err != nil {
			if err != io.EOF {
				return
			}
			return
		}
		filled += n
		pos := 0
		for filled-pos >= 8 {
			size := int(binary.BigEndian.Uint32(buf[pos:]))
			if filled-pos < size {
				break
			}
			each(binary.BigEndian.Uint32(buf[pos+4:]), append([]byte(nil), buf[pos+8:pos+size]...))
			pos += size
		}
		filled = copy(buf, buf[pos:filled])
	}
}
