package websocket

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/race"
)

// Bad peers are told what was wrong, and closed; others are served on.
func TestBadPeersAreToldWhy(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	s := newTestServer(t, "/", drpc.EndpointConfig{MaxMessageSize: limit})
	addEcho(s)
	addr := serve(t, s)
	honest := dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), addr)
	ok := testFrame(0x82, echoCall(1, "x"))
	for name, tt := range map[string]struct {
		bytes []byte
		want  int
	}{
		"not masked":                   {[]byte("\x82\x01x"), 1002},
		"reserved bits":                {testFrame(0xc2, "x"), 1002},
		"unknown opcode":               {testFrame(0x83, "x"), 1002},
		"continuation of nothing":      {testFrame(0x80, "x"), 1002},
		"message amid a message":       {append(testFrame(0x02, "x"), testFrame(0x82, "x")...), 1002},
		"long ping":                    {testFrame(0x89, strings.Repeat("x", 126)), 1002},
		"ping in parts":                {testFrame(0x09, "x"), 1002},
		"close with a bad code":        {testFrame(0x88, "\x03\xed"), 1002},
		"close with bad text":          {testFrame(0x88, "\x03\xe8\xff"), 1002},
		"text that is none":            {testFrame(0x81, "\xff"), 1007},
		"no JSON":                      {testFrame(0x82, "hello"), 1007},
		"nothing":                      {testFrame(0x82, ""), 1007},
		"nothing in parts":             {append(testFrame(0x02, ""), testFrame(0x80, "")...), 1007},
		"an unknown filter":            {testFrame(0x82, `{"mtype":1,"ptf":[81]}`), 1003},
		"an unknown message type":      {testFrame(0x82, `{"mtype":9}`), 1003},
		"no message type":              {testFrame(0x82, `{}`), 1003},
		"too large":                    {testFrame(0x82, strings.Repeat("x", limit+1)), 1009},
		"too large, said only":         {[]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, 1009},
		"too large in parts":           {append(testFrame(0x02, strings.Repeat("x", limit)), testFrame(0x80, "xx")...), 1009},
		"wrong after right":            {append(append([]byte(nil), ok...), testFrame(0x83, "x")...), 1002},
		"orderly close":                {testFrame(0x88, "\x03\xe9bye"), 1001},
		"close without a code":         {testFrame(0x88, ""), 0},
		"a ping, then close":           {append(testFrame(0x89, "are you there"), testFrame(0x88, "\x03\xe8")...), 1000},
		"HTTP once more":               {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 1002},
		"negative length":              {[]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, -1},
		"cut short amid a frame (FIN)": {ok[:len(ok)-1], -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := upgraded(t, addr)
			p.send(tt.bytes)
			if tt.want < 0 {
				_ = p.Conn.(*net.TCPConn).CloseWrite()
			}
			if code := p.closeCode(); tt.want >= 0 && code != tt.want {
				t.Errorf("code %d, want %d", code, tt.want)
			}
		})
	}
	t.Cleanup(func() { works(t, honest) })
}

func TestMessagesInPartsAreRead(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	p := upgraded(t, serve(t, s))
	call := echoCall(1, "in parts")
	p.send(testFrame(0x01, call[:10])) // as text
	p.send(testFrame(0x89, "ping"))    // control frames may come between
	p.send(testFrame(0x00, call[10:20]))
	p.send(testFrame(0x80, call[20:]))
	opcode, payload, err := p.next()
	if err != nil || opcode != 10 || string(payload) != "ping" {
		t.Fatalf("opcode %d, %q, %v", opcode, payload, err)
	}
	if opcode, payload, err = p.next(); err != nil || opcode != opBinary || !strings.Contains(string(payload), `"body":"in parts"`) {
		t.Errorf("opcode %d, %q, %v", opcode, payload, err)
	}
	// All at once, and byte by byte.
	all := append(testFrame(0x82, echoCall(2, "a")), testFrame(0x82, echoCall(3, "b"))...)
	p.send(append(all, testFrame(0x8a, "unasked pong")...))
	for _, b := range testFrame(0x82, echoCall(4, "c")) {
		p.send([]byte{b})
	}
	got := ""
	for range 3 {
		if _, payload, err = p.next(); err != nil {
			t.Fatal(err)
		}
		got += string(payload)
	}
	for _, want := range []string{`"body":"a"`, `"body":"b"`, `"body":"c"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// Frames are never split: DMicro 1.x peers take each for a message.
func TestEachMessageIsOneFrame(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	p := upgraded(t, serve(t, s))
	for i, n := range []int{0, 1, 125, 1000, 1 << 16, 1<<20 + 1<<19} {
		p.send(testFrame(0x82, echoCall(i, strings.Repeat("x", n))))
		if opcode, payload, err := p.next(); err != nil || opcode != opBinary || len(payload) < n || len(payload) > n+100 {
			t.Fatalf("%d: opcode %d, %d bytes, %v", n, opcode, len(payload), err)
		}
	}
}

// The other way round: what the client sends, byte by byte.
func TestTheClientSendsWholeMaskedFrames(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	const size = 3 << 19
	read, pong := make(chan error, 1), make(chan struct{})
	go func() {
		read <- func() error {
			conn, err := ln.Accept()
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(soon))
			p := &peer{Conn: conn, t: t}
			request := make([]byte, 4096)
			n, err := conn.Read(request)
			if err != nil {
				return err
			}
			text := string(request[:n])
			for _, want := range []string{"GET /ws?token=a%2Fb HTTP/1.1\r\n", "Host: localhost:", "X-Own: yes\r\n", "Origin: ws://localhost:"} {
				if !strings.Contains(text, want) {
					return fmt.Errorf("no %q in %q", want, text)
				}
			}
			if strings.Contains(text, "Sec-WebSocket-Protocol") || strings.Contains(text, "Extensions") {
				return fmt.Errorf("negotiates: %q", text)
			}
			// A line end without carriage return is one, too, and a frame may follow at once.
			p.send([]byte("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n" +
				"Sec-WebSocket-Accept: " + acceptKey(text) + "\n\n\x89\x02hi"))
			for {
				var head [14]byte
				if _, err = io.ReadFull(conn, head[:2]); err != nil {
					return err
				}
				n := 2
				for ; ; n++ {
					if h, k := parseHead(head[:n]); k > 0 {
						payload := make([]byte, h.size)
						if _, err = io.ReadFull(conn, payload); err != nil {
							return err
						}
						key := head[k-4 : k]
						for i := range payload {
							payload[i] ^= key[i%4]
						}
						switch {
						case head[1]&0x80 == 0 || !h.final:
							return fmt.Errorf("header %x", head[:k])
						case h.opcode == 10 && string(payload) == "hi":
							close(pong)
						case h.opcode == opBinary && strings.Count(string(payload), "x") == size:
							return nil
						default:
							return fmt.Errorf("opcode %d, %d bytes %.50q", h.opcode, len(payload), payload)
						}
						break
					}
					if _, err = io.ReadFull(conn, head[n:n+1]); err != nil {
						return err
					}
				}
			}
		}()
	}()
	c := newTestClient(t, "/ws?token=a%2Fb", drpc.EndpointConfig{})
	c.SetOptions(DialOptions{Header: http.Header{"X-Own": {"yes"}}})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	sess := dial(t, c, "localhost:"+port)
	select {
	case <-pong:
		if stat := sess.Push("/p", []byte(strings.Repeat("x", size))); stat != nil {
			t.Error(stat)
		}
	case err := <-read:
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}

func TestGarbageBeforeTheHandshake(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	addr := serve(t, s)
	for name, text := range map[string]string{
		"binary":             "\x00\x01\x02\x03\r\n\r\n",
		"no websocket":       "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"POST":               strings.Replace(goodRequest, "GET", "POST", 1) + "Connection: close\r\n\r\n",
		"old version":        strings.Replace(goodRequest, "Version: 13", "Version: 8", 1) + "Connection: close\r\n\r\n",
		"bad key":            strings.Replace(goodRequest, "dGhl", "", 1) + "Connection: close\r\n\r\n",
		"endless header":     "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 3*maxHeaderBytes),
		"frame in the hurry": goodRequest + "\r\n" + string(testFrame(0x82, echoCall(1, "x"))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, addr)
			p.send([]byte(text))
			answer, err := io.ReadAll(p.in)
			if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(answer), " 101 ") {
				t.Errorf("%q, %v", answer, err)
			}
		})
	}
	if n := s.CountSession(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestASilentClientIsClosedAtTheDeadline(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := newTestServer(t, "/", drpc.EndpointConfig{HandshakeTimeout: 100 * time.Millisecond})
		if secure {
			s.SetTLSConfig(certtest.New(t).Server("127.0.0.1"))
		}
		addr := serve(t, s)
		for _, text := range []string{"", "GET / HT", goodRequest} {
			p := connect(t, addr)
			p.send([]byte(text))
			if _, err := io.Copy(io.Discard, p); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("TLS %v, %q: not closed", secure, text)
			}
		}
	}
}

// A peer that sends pings and never reads must not make the answers pile up, nor keep the server.
func TestAFloodOfPingsIsBounded(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	addr := serve(t, s)
	p := upgraded(t, addr)
	flood := strings.Repeat(string(testFrame(0x89, strings.Repeat("x", 125))), 100)
	_ = p.SetDeadline(time.Now().Add(3 * time.Second))
	for range 2000 {
		if _, err := io.WriteString(p, flood); err != nil {
			break
		}
	}
	_ = p.Close()
	works(t, dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), addr))
	polltest.Until(t, "the end of the flood", func() bool { return s.CountSession() == 1 })
}

// Whatever is thrown at the server: nothing stays behind, and others are served on.
func TestMutatedFramesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for name, sub := range map[string]proto.ProtoFunc{"json": nil, "protobuf": pbSubProto.NewPbSubProtoFunc()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, "/", drpc.EndpointConfig{})
			addEcho(s)
			addr := serve(t, s, sub)
			honest := dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), addr, sub)
			n := 400
			if race.Enabled {
				n = 100
			}
			rng := rand.New(rand.NewPCG(1, 2))
			good := append(testFrame(0x82, echoCall(1, "hello")), testFrame(0x89, "ping")...)
			for range n {
				b := append([]byte(nil), good...)
				for range 1 + rng.IntN(4) {
					b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
				}
				p := upgraded(t, addr)
				p.send(b)
				_ = p.Conn.(*net.TCPConn).CloseWrite()
				if _, err := io.Copy(io.Discard, p.in); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("the server held on after %x", b)
				}
				_ = p.Close()
			}
			works(t, honest)
			polltest.Until(t, "the end of their sessions", func() bool { return s.CountSession() == 1 })
		})
	}
}

func TestSilentPeersAreClosedUnlessTheyAnswerPings(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{FirstFrameTimeout: 3 * time.Second})
	addEcho(s)
	addr := serve(t, s)
	answers, begins, silent := upgraded(t, addr), upgraded(t, addr), upgraded(t, addr)
	answers.send(testFrame(0x8a, "as to a ping"))
	half := testFrame(0x8a, "as to a ping")
	begins.send(half[:len(half)-1])
	for _, p := range []*peer{begins, silent} {
		if _, _, err := p.next(); err == nil {
			_, _, err = p.next() // after a close frame
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a silent peer is not closed: %v", err)
			}
		}
	}
	answers.send(testFrame(0x82, echoCall(1, "still here")))
	if _, payload, err := answers.next(); err != nil || !strings.Contains(string(payload), "still here") {
		t.Errorf("%q, %v", payload, err)
	}
}
