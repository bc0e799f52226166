package websocket

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"testing"
	"testing/iotest"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// memory is a connection that has said all it has to say.
type memory struct {
	net.Conn
	in interface{ Read([]byte) (int, error) }
}

func (m memory) Read(b []byte) (int, error)       { return m.in.Read(b) }
func (m memory) Write(b []byte) (int, error)      { return len(b), nil }
func (m memory) Close() error                     { return nil }
func (m memory) SetDeadline(time.Time) error      { return nil }
func (m memory) SetReadDeadline(time.Time) error  { return nil }
func (m memory) SetWriteDeadline(time.Time) error { return nil }

// taker is an HTTP server that gives its connection away.
type taker struct {
	http.ResponseWriter
	conn net.Conn
}

func (taker) Header() http.Header { return make(http.Header) }
func (w taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// libraryConn makes a connection of the library over w.
func libraryConn(t testing.TB, w http.ResponseWriter) *gorilla.Conn {
	t.Helper()
	r := &http.Request{Method: http.MethodGet, Header: http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	ws, err := (&gorilla.Upgrader{ReadBufferSize: libraryBuffer}).Upgrade(w, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// FuzzRead: whatever comes, in whatever pieces, the messages read are those that the library reads by itself, up to one
// that is empty, and nothing panics or hangs.
func FuzzRead(f *testing.F) {
	hello := testFrame(0x82, "hello")
	f.Add(bytes.Join([][]byte{hello, testFrame(0x81, "text"), testFrame(0x89, "ping"), hello}, nil), 7)
	f.Add(bytes.Join([][]byte{testFrame(0x02, "in "), testFrame(0x8a, ""), testFrame(0x80, "parts"), hello}, nil), 1)
	f.Add(bytes.Join([][]byte{hello, testFrame(0x82, string(make([]byte, 70_000))), testFrame(0x88, "\x03\xe8bye"), hello}, nil), 4096)
	f.Add(bytes.Join([][]byte{hello, testFrame(0x82, "")}, nil), 100)
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5}, 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		const limit = 1 << 20
		theirs := libraryConn(t, taker{conn: memory{in: bytes.NewReader(data)}})
		theirs.SetReadLimit(limit)
		var want []byte
		messages := 0
		for {
			_, b, err := theirs.ReadMessage()
			if err != nil || len(b) == 0 {
				break
			}
			want = append(want, b...)
			messages++
		}
		in := memory{in: bytes.NewReader(data)}
		if size%2 == 0 {
			in.in = iotest.HalfReader(bytes.NewReader(data))
		}
		taken := &hijacker{ResponseWriter: taker{conn: in}}
		ws := libraryConn(t, taken)
		c := newConn(taken.wire, ws, nil, new(owner))
		c.limit = func() uint32 { return limit }
		var got []byte
		b := make([]byte, 1+max(size, -size)%(1<<17))
		for {
			n, err := c.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				break
			}
			if n == 0 {
				t.Fatal("nothing was read, and no error")
			}
		}
		whole := 0
		for _, a := range c.arrived {
			if whole+a.size > len(got) {
				break // the last one was cut short
			}
			whole += a.size
			messages--
		}
		if messages != 0 || !bytes.Equal(got[:whole], want) {
			t.Errorf("read %d bytes, %d messages less, want %d bytes", whole, messages, len(want))
		}
		_ = c.Close()
	})
}

// FuzzAnswer: the answer to a handshake is handed out to its end and not further.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 x\r\nA: b\r\n\r\n\x82\x01x"), 3)
	f.Add([]byte("HTTP/1.1 101 x\nA: b\n\n\x82\x01x"), 100)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		feed := &feed{conn: memory{in: bytes.NewReader(data)}, answer: true}
		b := make([]byte, 1+max(size, -size)%5000)
		var got []byte
		for feed.answer {
			n, err := feed.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				break
			}
		}
		want := data
		for _, end := range []string{"\n\n", "\n\r\n"} {
			if i := bytes.Index(data, []byte(end)); i >= 0 && i+len(end) < len(want) {
				want = data[:i+len(end)]
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
