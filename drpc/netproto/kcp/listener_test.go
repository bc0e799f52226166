package kcp

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/osgochina/dmicro/internal/conntest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestListenerThatClosesLeavesItsConnectionsAlone(t *testing.T) {
	t.Parallel()
	ln := ServeConn(porttest.ListenUDP(t), Config{})
	t.Cleanup(func() { _ = ln.Close() })
	client := dialTo(t, ln.Addr(), Config{})
	server := conntest.Accept(t, ln)
	unaccepted := dialTo(t, ln.Addr(), Config{})
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	_ = unaccepted.SetReadDeadline(time.Now().Add(conntest.Patience))
	if _, err := unaccepted.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that was not accepted: %v", err)
	}
	go func() { _, _ = io.Copy(server, server) }()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if _, err := Dial(context.Background(), "udp", "", addr, Config{DialTimeout: 100 * time.Millisecond}); err == nil {
		t.Error("a new client gets in")
	}
	_ = client.Close()
	_ = server.Close()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatalf("the socket stays bound: %v", err)
	}
	_ = pc.Close()
}

func TestClientsWaitWhereThereIsNoRoom(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{"backlog": {Backlog: 1}, "sessions": {MaxSessions: 1}} {
		ln := listen(t, cfg)
		first := dialTo(t, ln.Addr(), Config{})
		_, err := Dial(context.Background(), "udp", "", ln.Addr().String(), Config{DialTimeout: 200 * time.Millisecond})
		if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		hearsAll(t, ln) // what the client that was not let in has said last would take the room that is made now
		server := conntest.Accept(t, ln)
		_ = first.Close()
		_ = server.Close()
		second := dialTo(t, ln.Addr(), Config{})
		_ = conntest.Accept(t, ln).Close()
		_ = second.Close()
	}
}

// hearsAll returns when the listener has taken every datagram that was sent to it before: it takes one after the other.
func hearsAll(t *testing.T, ln *Listener) {
	t.Helper()
	conn, err := net.Dial("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err = conn.Write(control{conv: 7, kind: hello}.bytes()); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(conntest.Patience))
	if _, err = conn.Read(make([]byte, maxDatagram)); err != nil {
		t.Fatal(err)
	}
}

// Nothing is kept for an address before it is proved, whatever is said from there.
func TestStrangersTakeNoMemory(t *testing.T) {
	t.Parallel()
	ln := listen(t, Config{})
	conn, err := net.Dial("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(conntest.Patience))
	data := make([]byte, 100)
	binary.LittleEndian.PutUint32(data, 7)
	data[4] = 81
	parity := append([]byte{0, 0, 0, 0, fecParity, 0}, data...)
	for _, c := range []struct {
		say    []byte
		answer kind
	}{
		{control{conv: 7, kind: hello}.bytes(), cookie},
		{control{conv: 7, kind: alive}.bytes(), gone},
		{control{conv: 7, kind: closing, value: 1}.bytes(), closed},
		{data, gone},
		{append([]byte{9, 9, 9, 9, fecData, 0, 100, 0}, data...), gone},
	} {
		// What is not answered comes first: an answer to it would be taken for one to the next.
		for _, b := range [][]byte{
			parity, {}, {1}, make([]byte, 16), data[:20],
			control{conv: 7, kind: enter, value: 1}.bytes(), control{conv: 7, kind: here}.bytes(),
			control{conv: 7, kind: cookie}.bytes(), control{conv: 7, kind: welcome}.bytes(),
			control{conv: 7, kind: closed}.bytes(), control{conv: 7, kind: gone}.bytes(),
			make([]byte, 4000),
		} {
			if _, err = conn.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err = conn.Write(c.say); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 2000)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if ctl, ok := parseControl(b[:n]); !ok || ctl.kind != c.answer || ctl.conv != 7 || n > len(c.say) {
			t.Errorf("%v was answered with %v", c.say[:16], b[:n])
		}
	}
	ln.hub.mu.Lock()
	defer ln.hub.mu.Unlock()
	if n := len(ln.hub.conns); n != 0 {
		t.Errorf("%d conversations with a stranger", n)
	}
}

func TestAddressThatBeginsAnewEndsItsOldConversation(t *testing.T) {
	t.Parallel()
	ln := listen(t, Config{})
	free := porttest.ListenUDP(t)
	local := free.LocalAddr().String()
	_ = free.Close()
	first, err := Dial(context.Background(), "udp", local, ln.Addr().String(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	old := conntest.Accept(t, ln)
	_ = first.hub.pc.Close() // as if its process had been killed
	second, err := Dial(context.Background(), "udp", local, ln.Addr().String(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	_ = old.SetReadDeadline(time.Now().Add(conntest.Patience))
	if _, err = old.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
	_ = conntest.Accept(t, ln).Close()
}

// A network delivers late, and twice, what it likes.
func TestLateEnterOfAnEarlierConversationEndsNothing(t *testing.T) {
	t.Parallel()
	ln := listen(t, Config{Linger: time.Millisecond})
	conn, err := net.Dial("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(conntest.Patience))
	const earlier, later = 1, 2
	oldCookie := ask(t, conn, control{conv: earlier, kind: hello}, cookie)
	ask(t, conn, control{conv: earlier, kind: enter, value: oldCookie}, welcome)
	_ = conntest.Accept(t, ln)
	newCookie := oldCookie
	for uint16(newCookie) == uint16(oldCookie) { // made in the same millisecond
		newCookie = ask(t, conn, control{conv: later, kind: hello}, cookie)
	}
	ask(t, conn, control{conv: later, kind: enter, value: newCookie}, welcome)
	server := conntest.Accept(t, ln).(*Conn)
	if _, err = conn.Write(control{conv: earlier, kind: enter, value: oldCookie}.bytes()); err != nil {
		t.Fatal(err)
	}
	ask(t, conn, control{conv: later, kind: alive}, here)
	if err = server.lost(); err != nil {
		t.Errorf("the later conversation ended: %v", err)
	}
}

// ask says something and returns the value of the answer, which must be the next datagram and of this kind.
func ask(t *testing.T, conn net.Conn, say control, want kind) uint64 {
	t.Helper()
	if _, err := conn.Write(say.bytes()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, maxDatagram)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := parseControl(b[:n])
	if !ok || answer.conv != say.conv || answer.kind != want {
		t.Fatalf("the answer to %v is %v, want kind %d", say, b[:n], want)
	}
	return answer.value
}

// flooded is a socket that gets, before anything else, a number of datagrams as long as they can be. Reading one into a
// buffer that is shorter fails, as on Windows.
type flooded struct {
	net.PacketConn
	long int // only the reading goroutine
}

func (s *flooded) ReadFrom(b []byte) (int, net.Addr, error) {
	const size = 65507
	if s.long == 0 {
		return s.PacketConn.ReadFrom(b)
	}
	s.long--
	from := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}
	if len(b) < size {
		return len(b), from, syscall.EMSGSIZE
	}
	return size, from, nil
}

func TestLongDatagramsEndNothing(t *testing.T) {
	t.Parallel()
	ln := ServeConn(&flooded{conntest.PacketConn(t), maxReadFailures + 1}, patient(Config{}))
	t.Cleanup(func() { _ = ln.Close() })
	client := dialTo(t, ln.Addr(), Config{})
	_ = conntest.Accept(t, ln).Close()
	_ = client.Close()
}

func TestInheritedSocketServes(t *testing.T) {
	t.Parallel()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	file, err := udp.File()
	if err != nil {
		t.Fatal(err)
	}
	_ = udp.Close()
	pc, err := net.FilePacketConn(file)
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	ln := ServeConn(pc, Config{})
	defer func() { _ = ln.Close() }()
	client := dialTo(t, ln.Addr(), Config{})
	server := conntest.Accept(t, ln)
	if _, err = client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err = io.ReadFull(server, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = Dial(ctx, "udp", "", silent.LocalAddr().String(), Config{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v", err)
	}
	for _, bad := range [][3]string{{"udp", "no address", "127.0.0.1:1"}, {"udp", "", "no address"}, {"tcp", "", silent.LocalAddr().String()}} {
		if _, err = Dial(context.Background(), bad[0], bad[1], bad[2], Config{}); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestOlderPeersAreUnderstoodWhereAskedFor(t *testing.T) {
	t.Parallel()
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		ln := listen(t, Config{Older: true})
		older, err := kcpgo.DialWithOptions(ln.Addr().String(), nil, DefaultDataShards, DefaultParityShards)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = older.Close() }()
		echoThrough(t, older, func() net.Conn { return conntest.Accept(t, ln) })
	})
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		older, err := kcpgo.ListenWithOptions("127.0.0.1:0", nil, DefaultDataShards, DefaultParityShards)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = older.Close() }()
		echoThrough(t, dialTo(t, older.Addr(), Config{Older: true}), func() net.Conn { return conntest.Accept(t, older) })
	})
}

// echoThrough has a server echo what a client writes first.
func echoThrough(t *testing.T, client net.Conn, accepted func() net.Conn) {
	t.Helper()
	const text = "what older peers say"
	if _, err := client.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	server := accepted()
	go func() { _, _ = io.Copy(server, server) }()
	_ = client.SetReadDeadline(time.Now().Add(conntest.Patience))
	b := make([]byte, len(text))
	if _, err := io.ReadFull(client, b); err != nil || string(b) != text {
		t.Errorf("%q, %v", b, err)
	}
}

func TestOlderPeersAreRefusedWhereNot(t *testing.T) {
	t.Parallel()
	ln := listen(t, Config{})
	older, err := kcpgo.DialWithOptions(ln.Addr().String(), nil, DefaultDataShards, DefaultParityShards)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = older.Close() }()
	if _, err = older.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = older.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err = older.Read(make([]byte, 1)); err == nil {
		t.Error("it gets an answer")
	}
	ln.hub.mu.Lock()
	defer ln.hub.mu.Unlock()
	if len(ln.hub.conns) != 0 {
		t.Error("it has a conversation")
	}
}

// A server that is busy answers late. A client that asked it whether it knows the conversation would hear that it is gone.
func TestClientOfABusyServerWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, maxDatagram)
		for hellos := 0; ; {
			n, from, err := server.ReadFromUDP(b)
			if err != nil {
				return
			}
			ctl, ok := parseControl(b[:n])
			if !ok {
				continue
			}
			answer := control{conv: ctl.conv}
			switch ctl.kind {
			case hello:
				if hellos++; hellos < 6 {
					continue // which is more than a second, longer than the client goes without a sign of life
				}
				answer.kind = cookie
			case enter:
				answer.kind = welcome
			case alive, closing:
				answer.kind = gone
			default:
				continue
			}
			_, _ = server.WriteTo(answer.bytes(), from)
		}
	}()
	conn, err := Dial(t.Context(), "udp", "", server.LocalAddr().String(), Config{Idle: 8 * time.Second})
	if err != nil {
		t.Errorf("a client that is answered late: %v", err)
	} else if err = conn.Close(); err != nil {
		t.Error(err)
	}
	_ = server.Close()
	<-done
}
