package drpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/internal/polltest"
)

// The tests of this file attack a server while an honest client goes on calling it. Most are not parallel, because
// they look at the memory, the descriptors, the goroutines or the log of the whole process.

// fortress is a server under attack.
type fortress struct {
	t    testing.TB
	ep   Endpoint
	addr string
	sess Session // of the honest client
}

func newFortress(t testing.TB, cfg EndpointConfig) *fortress {
	t.Helper()
	f := &fortress{t: t, ep: newPeer(t, cfg)}
	HandleCall(f.ep, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	HandlePush(f.ep, "/note", func(PushCtx, *string) *Status { return nil })
	f.addr = serve(t, f.ep)
	f.sess = dial(t, newPeer(t, EndpointConfig{}), f.addr)
	f.serves()
	return f
}

// serves fails the test if the honest client is not served.
func (f *fortress) serves() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var got string
	stat := f.sess.Call("/echo", "are you there?", &got, message.WithContext(ctx)).Status()
	if stat != nil || got != "are you there?" {
		f.t.Errorf("the honest client gets %q, %v", got, stat)
	}
}

// servesMeanwhile calls until stop is called, which fails the test unless every call was answered.
func (f *fortress) servesMeanwhile() (stop func()) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				f.serves()
			}
		}
	})
	return func() { close(end); wg.Wait() }
}

// alone waits until no session is left but that of the honest client.
func (f *fortress) alone() {
	f.t.Helper()
	polltest.Until(f.t, "end of all hostile sessions", func() bool { return f.ep.CountSession() == 1 })
}

// attack connects.
func (f *fortress) attack() *net.TCPConn {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// drain reads until the server closes the connection. A server that closes with bytes unread resets it, so the error
// does not matter.
func drain(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("the session was not closed: %v", err)
	}
}

// logged reports whether one line of the log contains all parts.
func logged(log *logLines, parts ...string) bool {
	log.mu.Lock()
	defer log.mu.Unlock()
next:
	for line := range strings.Lines(log.lines.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		return true
	}
	return false
}

// hostileFrame is a frame with an empty body whose header parts are as given.
func hostileFrame(t testing.TB, settings ...message.MsgSetting) []byte {
	t.Helper()
	m := message.NewMessage(message.WithMType(message.TypeCall), message.WithServiceMethod("/echo"))
	m.SetSeq(1)
	message.From(m).Apply(settings)
	frame, err := rawproto.RawProtoFunc(nil).(proto.Framer).AppendFrame(nil, message.From(m))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// honestFrame is a call that is answered.
func honestFrame(t testing.TB, settings ...message.MsgSetting) []byte {
	t.Helper()
	return hostileFrame(t, append([]message.MsgSetting{message.WithBody("x"), message.WithBodyCodec(codec.JsonName)}, settings...)...)
}

// announce is a length field.
func announce(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// withLength gives the bytes behind it a length field that tells the truth.
func withLength(rest string) []byte { return append(announce(uint32(len(rest)+4)), rest...) }

func changed(frame []byte, at int, to byte) []byte {
	frame = bytes.Clone(frame)
	frame[at] = to
	return frame
}

func TestHostileBytesEndTheirSessionWithAReason(t *testing.T) {
	log := captureLog(t)
	f := newFortress(t, EndpointConfig{MaxMessageSize: 1 << 20})
	noise := make([]byte, 64<<10)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	frame := honestFrame(t)
	bomb := honestFrame(t, message.WithTFilterPipe(gzipID), message.WithBody(strings.Repeat("0", 2<<20)))
	typed := func(typ byte) []byte { return hostileFrame(t, message.WithMType(typ)) }
	const malformed, tooLarge, notAllowed = "malformed frame", "exceeds the limit", "Message Type Not Allowed"
	tests := []struct {
		name, reason string
		bytes        []byte
	}{
		{"length 0", malformed, make([]byte, 64)},
		{"length 3", malformed, append(announce(3), "123"...)},
		{"length 5", malformed, append(announce(5), 1)},
		{"length 6, nothing behind it", malformed, withLength("\x01\x00")},
		{"length of 4 GiB", tooLarge, announce(1<<32 - 1)},
		{"length one above the limit", tooLarge, announce(1<<20 + 1)},
		{"filter count beyond the frame", malformed, withLength("\x01\xff" + strings.Repeat("5", 20))},
		{"17 filters", "more than 16", withLength("\x01\x11" + strings.Repeat("5", 40))},
		{"unknown filter", "unsupported transfer filter", withLength("\x01\x01Qpayload")},
		{"changed payload", "check failed", withLength("\x01\x015" + strings.Repeat("x", 40))},
		{"no gzip", "transfer filter gzip", withLength("\x01\x01z" + strings.Repeat("x", 40))},
		{"no aes", tfilter.ErrDecrypt.Error(), withLength("\x01\x01a" + strings.Repeat("x", 40))},
		{"inflates above the limit", tooLarge, bomb},
		{"seq length beyond the frame", malformed, changed(frame, 6, 255)},
		{"seq is no number", malformed, changed(frame, 7, '*')},
		{"method length beyond the frame", malformed, changed(frame, 9, 255)},
		{"status length beyond the frame", malformed, changed(frame, 15, 255)},
		{"meta length beyond the frame", malformed, changed(frame, 47, 255)},
		{"status is no JSON", malformed, changed(frame, 17, '%')},
		{"meta is no JSON", malformed, changed(frame, 49, '%')},
		{"cut frame", "unexpected EOF", frame[:len(frame)-3]},
		{"cut length", "unexpected EOF", frame[:2]},
		{"noise", "", noise},
		{"web browser", tooLarge, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
		{"tls client", tooLarge, []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"type undefined", notAllowed, typed(message.TypeUndefined)},
		{"type AUTH_CALL", notAllowed, typed(message.TypeAuthCall)},
		{"type AUTH_REPLY", notAllowed, typed(message.TypeAuthReply)},
		{"type 255", notAllowed, typed(255)},
		{"good frame, then a bad one", malformed, append(bytes.Clone(frame), make([]byte, 64)...)},
	}
	stop := f.servesMeanwhile()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := f.attack()
			id := conn.LocalAddr().String()
			// Errors of writing only say that the server was quicker.
			_, _ = conn.Write(tt.bytes)
			_ = conn.CloseWrite()
			drain(t, conn)
			polltest.Until(t, "a reason in the log", func() bool { return logged(log, id, tt.reason) })
		})
	}
	stop()
	f.alone()
	f.serves()
}

func TestOddMessagesLeaveTheirSessionOpen(t *testing.T) {
	t.Parallel()
	f := newFortress(t, EndpointConfig{})
	conn := f.attack()
	for _, frame := range [][]byte{
		hostileFrame(t, message.WithServiceMethod("/no/such/method")),
		hostileFrame(t, message.WithServiceMethod("")),
		hostileFrame(t, message.WithServiceMethod("\xff\x00")),
		hostileFrame(t, message.WithMType(message.TypeReply)),
		hostileFrame(t, message.WithMType(message.TypePush), message.WithServiceMethod("/no/such/method")),
		hostileFrame(t, message.WithBody([]byte("{{{")), message.WithBodyCodec(codec.JsonName)),
		hostileFrame(t, message.WithBody([]byte("body without codec"))),
		hostileFrame(t, func(m message.Message) { m.SetBody([]byte("x")); m.SetBodyCodec(250) }),
		hostileFrame(t, message.WithSetMeta(message.MetaAcceptBodyCodec, "255")),
		hostileFrame(t, message.WithSetMeta(message.MetaRealIP, "\x00")),
		changed(honestFrame(t), 4, 9), // another version
	} {
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	p := newRawPeer(t, conn)
	if !p.send(message.TypeCall, 77, "/echo", codec.JsonId, `"still here"`) {
		t.Fatal("the session is closed")
	}
	for {
		m := p.next()
		if m == nil {
			t.Fatal("the session was closed")
		}
		if m.Seq() == 77 {
			if body := string(*m.Body().(*[]byte)); body != `"still here"` {
				t.Errorf("%q", body)
			}
			return
		}
	}
}

// allocated is what the process holds, after everything that is garbage is gone.
func allocated() (heap, sys uint64) {
	runtime.GC()
	runtime.GC() // the second one empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse, m.Sys
}

// grownBy fails the test if the process holds much more than before.
func grownBy(t testing.TB, heap, sys uint64) {
	t.Helper()
	const most = 32 << 20
	if h, s := allocated(); h > heap+most || s > sys+most {
		t.Errorf("heap and stacks grew by %d KiB, all memory by %d KiB", (int64(h)-int64(heap))>>10, (int64(s)-int64(sys))>>10)
	}
}

func TestAnnouncedGibibytesAreRefused(t *testing.T) {
	log := captureLog(t)
	f := newFortress(t, EndpointConfig{})
	heap, sys := allocated()
	stop := f.servesMeanwhile()
	var conns []net.Conn
	for range 50 {
		conn := f.attack()
		if _, err := conn.Write(announce(1 << 30)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		drain(t, conn) // this side has not closed: the server does
		if !logged(log, conn.LocalAddr().String(), "exceeds the limit", "MaxMessageSize") {
			t.Error("no reason in the log, or no way to raise the limit")
		}
	}
	stop()
	f.alone()
	grownBy(t, heap, sys)
	f.serves()
}

func TestAnnouncedGibibytesThatAreAllowedCostNothing(t *testing.T) {
	f := newFortress(t, EndpointConfig{MaxMessageSize: 2 << 30})
	goroutines := newStackCounter()
	heap, sys := allocated()
	stop := f.servesMeanwhile()
	for range 50 {
		if _, err := f.attack().Write(append(announce(1<<30), make([]byte, 100<<10)...)); err != nil {
			t.Fatal(err)
		}
	}
	polltest.Until(t, "50 sessions that wait for a gibibyte", func() bool {
		return goroutines.in("frameReader).large") == 50
	})
	stop()
	grownBy(t, heap, sys)
	if n := f.ep.CountSession(); n != 51 {
		t.Errorf("%d sessions", n)
	}
	f.serves()
}

// stackCounter counts goroutines by what they do, in memory of its own, so that counting is not what uses memory.
type stackCounter []byte

func newStackCounter() stackCounter { return make(stackCounter, 2<<20) }

// in is how many goroutines are in a function with this name.
func (s stackCounter) in(function string) int {
	return bytes.Count(s[:runtime.Stack(s, true)], []byte(function))
}

func TestSlowWritersAreServedAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	f := newFortress(t, EndpointConfig{})
	frame := honestFrame(t)
	var wg sync.WaitGroup
	for range 20 {
		conn := f.attack()
		wg.Go(func() {
			for i := range frame {
				if _, err := conn.Write(frame[i : i+1]); err != nil {
					t.Error(err)
					return
				}
				if i%10 == 0 {
					f.serves()
				}
			}
			if m := newRawPeer(t, conn).next(); m == nil || string(*m.Body().(*[]byte)) != `"x"` {
				t.Errorf("answered by %v", m)
			}
		})
	}
	wg.Wait()
	f.serves()
}

func TestPeerThatCallsAndNeverReadsIsCutOff(t *testing.T) {
	log := captureLog(t)
	f := newFortress(t, EndpointConfig{WriteTimeout: 200 * time.Millisecond, OutboxSize: 256 << 10})
	conn := f.attack()
	frame := honestFrame(t, message.WithBody(strings.Repeat("x", 64<<10)))
	stop := f.servesMeanwhile()
	for range 400 {
		if _, err := conn.Write(frame); err != nil {
			break // cut off
		}
	}
	stop()
	f.alone()
	goroutines := newStackCounter()
	polltest.Until(t, "the goroutines of its calls are gone", func() bool { return goroutines.in("outbox).") == 0 })
	if !logged(log, conn.LocalAddr().String(), "does not read") {
		t.Error("no reason in the log")
	}
	f.serves()
}

// descriptors is how many files the process has open, 0 where there is no way to tell.
func descriptors() int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(open)
}

// mutate changes a frame in one to four places.
func mutate(rng *rand.Rand, frame []byte) []byte {
	b := bytes.Clone(frame)
	for range 1 + rng.IntN(4) {
		at := rng.IntN(len(b))
		switch rng.IntN(6) {
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
			b[at] = []byte{0, 1, 0x7f, 0x80, 0xff}[rng.IntN(5)]
		case 5:
			b = append(b, b[at:]...)
		}
	}
	if rng.IntN(2) == 0 && len(b) >= 4 {
		binary.BigEndian.PutUint32(b, uint32(len(b))) // so that what is inside is looked at
	}
	return b
}

func TestFiveThousandMutatedFramesLeaveNothingBehind(t *testing.T) {
	f := newFortress(t, EndpointConfig{})
	frames := [][]byte{
		honestFrame(t),
		honestFrame(t, message.WithSetMeta("a", "1"), message.WithSetMeta(message.MetaAcceptBodyCodec, "106")),
		honestFrame(t, message.WithTFilterPipe(md5ID)),
		honestFrame(t, message.WithTFilterPipe(gzipID, aesID)),
		hostileFrame(t, message.WithMType(message.TypePush), message.WithServiceMethod("/note")),
		hostileFrame(t, message.WithMType(message.TypeReply), message.WithStatus(newStatus(404, "cause"))),
	}
	// Workers that wait for work are kept on purpose.
	idle := func(ep Endpoint) int { return int(ep.(*endpoint).workers.idle.Load()) }
	running := func() int { return runtime.NumGoroutine() - idle(f.ep) - idle(f.sess.Endpoint()) }
	goroutines, fds := running(), descriptors()
	const attackers, each = 8, 5000 / 8
	var wg sync.WaitGroup
	for a := range uint64(attackers) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(a, 5000))
			for i := range each {
				conn, err := net.Dial("tcp", f.addr)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = conn.Write(mutate(rng, frames[rng.IntN(len(frames))]))
				_ = conn.(*net.TCPConn).CloseWrite()
				drain(t, conn)
				_ = conn.Close()
				if i%50 == 0 {
					f.serves()
				}
			}
		})
	}
	wg.Wait()
	f.alone()
	f.serves()
	polltest.Until(t, "descriptors are back to what they were", func() bool { return descriptors() <= fds })
	polltest.Until(t, "goroutines are back to what they were", func() bool { return running() <= goroutines })
}

// FuzzServer feeds whatever comes to a live server over a connection of its own. The server must not panic, must end
// the session when the connection ends, and must serve an honest client.
func FuzzServer(f *testing.F) {
	for _, settings := range [][]message.MsgSetting{
		nil,
		{message.WithSetMeta("a", "1")},
		{message.WithTFilterPipe(md5ID)},
		{message.WithTFilterPipe(gzipID, aesID)},
		{message.WithMType(message.TypePush), message.WithServiceMethod("/note")},
		{message.WithMType(message.TypeReply)},
		{message.WithMType(message.TypeAuthCall)},
	} {
		frame := honestFrame(f, settings...)
		f.Add(frame)
		f.Add(append(bytes.Clone(frame), frame...))
	}
	f.Add([]byte{0, 0, 0, 0})
	f.Add(announce(1 << 30))
	srv := newFortress(f, EndpointConfig{})
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		sess, stat := srv.ep.ServeConn(far)
		if stat != nil {
			t.Fatal(stat)
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, near)
		}()
		_, _ = near.Write(b) // an error only says that the server has closed already
		_ = near.Close()
		polltest.Receive(t, "end of the session", sess.CloseNotify())
		polltest.Receive(t, "end of the connection", read)
		honest := *srv
		honest.t = t
		honest.serves()
	})
}
