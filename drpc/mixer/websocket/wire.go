package websocket

import (
	"net"
	"sync/atomic"
	"time"
)

// wire is the connection as the library for WebSocket sees it, which does the handshake, reads messages, checks what
// comes and answers it. Messages are written past it, as it would take a system call for each and break those of clients
// into pieces; what it writes itself are control frames, which go between messages.
type wire struct {
	net.Conn // TCP or TLS
	in       feed
	out      out
	upgraded atomic.Bool
}

func newWire(conn net.Conn, client bool) *wire {
	w := &wire{Conn: conn}
	w.in.conn, w.in.answer = conn, client
	w.out.conn, w.out.masked = conn, client
	return w
}

func (w *wire) Read(b []byte) (int, error) { return w.in.Read(b) }

func (w *wire) Write(b []byte) (int, error) {
	if !w.upgraded.Load() {
		return w.Conn.Write(b)
	}
	if err := w.out.control(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetWriteDeadline counts only for the handshake: after it the deadline is that of the messages.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.upgraded.Load() {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}
