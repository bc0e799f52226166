package websocket

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/transporttest"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // many tests cause errors on purpose
	transporttest.Main(transport)
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// soon is a time that only a hang can take.
const soon = 20 * time.Second

func newTestServer(t testing.TB, root string, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) *Server {
	t.Helper()
	cfg.ListenIP = "127.0.0.1"
	s := NewServer(root, cfg, plugins...)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close of the server: %v", err)
		}
	})
	return s
}

// serve makes s listen and returns where.
func serve(t testing.TB, s *Server, pf ...proto.ProtoFunc) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.ListenAndServe(pf...) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	polltest.Until(t, "listening", func() bool { return len(s.Addrs()) > 0 })
	return s.Addrs()[0].String()
}

func newTestClient(t testing.TB, root string, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) *Client {
	t.Helper()
	c := NewClient(root, cfg, plugins...)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close of the client: %v", err)
		}
	})
	return c
}

func dial(t testing.TB, c *Client, addr string, pf ...proto.ProtoFunc) drpc.Session {
	t.Helper()
	sess, stat := c.Dial(addr, pf...)
	if stat != nil {
		t.Fatalf("dial: %v", stat)
	}
	return sess
}

// addEcho adds a handler that answers with what it gets.
func addEcho(e drpc.Endpoint) {
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, arg *[]byte) ([]byte, *drpc.Status) { return *arg, nil })
}

// works fails the test unless calls over sess are answered.
func works(t testing.TB, sess drpc.Session) {
	t.Helper()
	var got []byte
	if stat := sess.Call("/echo", []byte("still there"), &got).Status(); stat != nil || string(got) != "still there" {
		t.Errorf("%q, %v", got, stat)
	}
}

// peer is a client made by hand, that can send what no honest one would.
type peer struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

const goodRequest = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func connect(t testing.TB, addr string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(soon))
	return &peer{conn, t, bufio.NewReader(conn)}
}

// request sends a request and returns the answer.
func (p *peer) request(text string) *http.Response {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

// upgraded connects and does the handshake.
func upgraded(t testing.TB, addr string, headers ...string) *peer {
	t.Helper()
	p := connect(t, addr)
	text := goodRequest
	for _, h := range headers {
		text += h + "\r\n"
	}
	if resp := p.request(text + "\r\n"); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %s", resp.Status)
	}
	return p
}

// testFrame makes a frame as clients do, masked.
func testFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// send writes bytes; the server may have closed already.
func (p *peer) send(b []byte) { _, _ = p.Write(b) }

// next reads a frame of the server.
func (p *peer) next() (opcode byte, payload []byte, err error) {
	for n := 2; ; n++ {
		head, err := p.in.Peek(n)
		if err != nil {
			return 0, nil, err
		}
		h, size := parseHead(head)
		if size == 0 {
			continue
		}
		if !h.final || head[1]&0x80 != 0 {
			return 0, nil, fmt.Errorf("frame begins with %x", head)
		}
		_, _ = p.in.Discard(size)
		payload = make([]byte, h.size)
		_, err = io.ReadFull(p.in, payload)
		return h.opcode, payload, err
	}
}

// closeCode reads on until the server closes, and returns the code of its close frame, 0 if there is none.
func (p *peer) closeCode() (code int) {
	p.t.Helper()
	for {
		opcode, payload, err := p.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.t.Fatal("the server does not close the connection")
		case err != nil:
			return code
		case opcode == opClose && len(payload) >= 2:
			code = int(payload[0])<<8 | int(payload[1])
		}
	}
}

// echoCall is a frame of the json sub-protocol that calls /echo.
func echoCall(seq int, body string) string {
	return fmt.Sprintf(`{"seq":%d,"mtype":1,"serviceMethod":"/echo","meta":"{}","bodyCodec":115,"body":"%s","ptf":[]}`, seq, body)
}

// acceptKey answers the key in a request.
func acceptKey(request string) string {
	_, key, _ := strings.Cut(request, "Sec-WebSocket-Key: ")
	key, _, _ = strings.Cut(key, "\r\n")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
