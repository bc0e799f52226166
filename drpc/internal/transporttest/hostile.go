package transporttest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

// nonsense is what is no frame of the protocol that servers speak by default, nor of TLS or WebSocket.
var nonsense = map[string][]byte{
	"HTTP":    []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	"ones":    bytes.Repeat([]byte{0xff}, 1000),
	"noughts": make([]byte, 1000),
	"noise":   append([]byte{0xfe}, noise(rand.New(rand.NewPCG(7, 8)), 100_000)...),
}

func garbage(t *testing.T, tr Transport) {
	p := tr.pair(t).listen(t)
	known := p.dial(t)
	for what, b := range nonsense {
		conn := tr.raw(t, p.addr.String())
		_, _ = conn.Write(b)
		if !isClosed(conn) {
			t.Errorf("%s: the peer is not closed", what)
		}
		honest(t, known)
	}
}

// garbageAfterFrame speaks as an honest peer does, and then no more.
func garbageAfterFrame(t *testing.T, tr Transport) {
	for _, b := range nonsense {
		var broken atomic.Pointer[net.Conn]
		p := tr.pair(t).listen(t)
		client := closing(t, func() (drpc.Endpoint, error) {
			_, cfg := tr.configs("")
			return tr.newClient(cfg, spy(func(conn net.Conn) { broken.Store(&conn) }))
		})
		known := p.dial(t)
		sess := dialTo(t, client, p.addr.String())
		honest(t, sess)
		_, _ = bottom(*broken.Load()).Write(b)
		ended(t, sess)
		honest(t, known)
	}
}

// oversize sends more than the server takes.
func oversize(t *testing.T, tr Transport) {
	p := tr.pair(t, func(server, _ *drpc.EndpointConfig) { server.MaxMessageSize = 100_000 }).listen(t)
	known := p.dial(t)
	for _, size := range []int{100_000, 1 << 20} {
		var reply []byte
		stat := p.dial(t).Call("/echo", make([]byte, size), &reply).Status()
		if stat == nil {
			t.Errorf("%d bytes are taken", size)
		}
		honest(t, known)
	}
}

// slowReader reads nothing of what it is sent. The server ends it, with as much memory as its outbox may have.
func slowReader(t *testing.T, tr Transport) {
	const outbox, most = 1 << 20, 64 << 20
	p := tr.pair(t, func(server, _ *drpc.EndpointConfig) {
		server.OutboxSize, server.WriteTimeout = outbox, 500*time.Millisecond
	}).listen(t)
	tr.raw(t, p.addr.String())
	sess := p.accepted(t)
	known := p.dial(t)
	heap, body := heapInUse(), make([]byte, 64<<10)
	var stat *drpc.Status
	sent, peak := 0, uint64(0)
	for stat == nil && sent < 1<<30 {
		stat = sess.Push("/news", body)
		if sent += len(body); sent%(8<<20) == 0 {
			peak = max(peak, heapInUse())
		}
	}
	peak = max(peak, heapInUse())
	if stat.Code() != drpc.CodeConnClosed || sent > most {
		t.Errorf("after %d bytes: %v", sent, stat)
	}
	if peak > heap+most {
		t.Errorf("the heap went from %d to %d bytes", heap, peak)
	}
	ended(t, sess)
	honest(t, known)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// hostileDatagrams throws datagrams at a socket on which honest clients are served.
func hostileDatagrams(t *testing.T, tr Transport) {
	p := tr.pair(t).listen(t)
	sess := p.dial(t)
	before := heapInUse()
	share(t, 4, 4, func(rng *rand.Rand) error {
		return throw(rng, p.addr.(*net.UDPAddr), 2000, func() error { return callEcho(sess, []byte("honest")) })
	})
	honest(t, p.dial(t))
	if grown := int64(heapInUse()) - int64(before); grown > 64<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if n := p.server.CountSession(); n > 2 {
		t.Errorf("%d sessions", n)
	}
}

// throw sends n datagrams of any content from one address, some of which look like the beginning of something.
func throw(rng *rand.Rand, to *net.UDPAddr, n int, honest func() error) error {
	conn, err := net.DialUDP("udp", nil, to)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	heads := [][]byte{
		{},
		{0xc3, 0, 0, 0, 1, 8}, // the beginning of a QUIC handshake
		{0x40},                // the middle of a QUIC connection
		{1, 2, 3, 4, 81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},     // a segment of KCP
		{0, 0, 0, 0, 0xf1, 0, 90, 0, 1, 2, 3, 4, 81, 0, 0, 1}, // the same with error correction
		{0, 0, 0, 0, 0xf2, 0},
		{1, 2, 3, 4, 1, 'd', 'm', 'k'}, {1, 2, 3, 4, 3, 'd', 'm', 'k'}, {1, 2, 3, 4, 7, 'd', 'm', 'k'},
	}
	for i := range n {
		b := append(bytes.Clone(heads[rng.IntN(len(heads))]), noise(rng, rng.IntN(1500))...)
		if rng.IntN(4) == 0 {
			b = b[:min(16, len(b))]
		}
		if _, err = conn.Write(b); err != nil {
			return err
		}
		if i%100 == 0 {
			if err = honest(); err != nil {
				return err
			}
		}
	}
	return nil
}
