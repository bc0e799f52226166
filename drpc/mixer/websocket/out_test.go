package websocket

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
)

// narrow is a connection that takes so many bytes, and no more in time, until there is room again.
type narrow struct {
	memory
	room    int
	written bytes.Buffer
}

func (c *narrow) Write(b []byte) (int, error) {
	if len(b) <= c.room {
		return c.written.Write(b)
	}
	n, _ := c.written.Write(b[:c.room]) // never fails
	return n, os.ErrDeadlineExceeded
}

func TestNothingFollowsAPartOfAControlFrame(t *testing.T) {
	t.Parallel()
	ping := []byte("\x89\x02hi")
	for room, want := range []string{"\x82\x01x", "\x89", "\x89\x02", "\x89\x02h", "\x89\x02hi\x82\x01x"} {
		conn := &narrow{room: room}
		o := &out{conn: conn}
		if err := o.control(ping); room < len(ping) && !errors.Is(err, os.ErrDeadlineExceeded) || room == len(ping) && err != nil {
			t.Errorf("room for %d: the ping: %v", room, err)
		}
		conn.room = 100
		o.sizes.push(1)
		_, err := o.write([]byte("x"))
		if amid := 0 < room && room < len(ping); amid != errors.Is(err, net.ErrClosed) || !amid && err != nil {
			t.Errorf("room for %d: the message: %v", room, err)
		}
		if got := conn.written.String(); got != want {
			t.Errorf("room for %d: %q, want %q", room, got, want)
		}
	}
}
