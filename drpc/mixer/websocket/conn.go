package websocket

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
)

const (
	// lingerTime is how long a peer that is closed for its mistake may go on sending, so that it gets to know why: to
	// close on bytes that nobody has read would reset the connection. lingerBytes is how much.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
	// libraryBuffer is the read buffer of the library. It need not be large, as feed has one.
	libraryBuffer = 512
	// partsTime is how long a message may take that comes in several frames, which the session sees when it is whole.
	partsTime = 2 * time.Minute
)

var errParts = fmt.Errorf("a message in several frames took more than %v: %w", partsTime, socket.ErrSlowFrame)

var errEmpty = fmt.Errorf("%w: empty websocket message", proto.ErrMalformed)

// Conn is the connection of a session over WebSocket: a stream of whole messages, whose bounds it knows.
type Conn struct {
	wire  *wire
	ws    *gorilla.Conn
	req   *http.Request // nil on the dialling side
	owner *owner
	pings pinger

	// limit is the largest message to be received; the session says it.
	limit func() uint32
	// gate, if there is one, is opened when messages may be read.
	gate   atomic.Pointer[chan struct{}]
	opened chan struct{}

	// Only for the reading goroutine.
	body     io.Reader // the message under way
	rest     int64     // what is to come of it
	arrived  []arrival // messages that were begun and not parsed yet
	broken   error     // an error that waits for what came before it to be read
	finished error     // what every further Read returns

	mu     sync.Mutex
	code   int   // what to close with; 0 is as usual
	reason error // why this side has cut the connection
	once   sync.Once
	closed chan struct{}
	err    error
}

// arrival is one received message.
type arrival struct {
	size int
	text bool
}

func newConn(w *wire, ws *gorilla.Conn, req *http.Request, own *owner) *Conn {
	w.upgraded.Store(true)
	c := &Conn{wire: w, ws: ws, req: req, owner: own, limit: message.MsgSizeLimit, opened: make(chan struct{}), closed: make(chan struct{})}
	c.wire.in.noted(1)
	return c
}

// Request is the request that was upgraded to this connection; nil on the dialling side. It must not be changed.
func (c *Conn) Request() *http.Request { return c.req }

// NetConn returns the connection of the system below, under TLS if there is TLS. Whoever reads or writes it ends the
// session.
func (c *Conn) NetConn() net.Conn { return netConn(c.wire.Conn) }

func netConn(conn net.Conn) net.Conn {
	if t, ok := conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return conn
}

// Read reads bytes of messages: as many messages as are at hand. Only for the session.
func (c *Conn) Read(b []byte) (int, error) {
	if c.finished != nil {
		return 0, c.finished
	}
	if c.broken == nil {
		c.broken = c.await()
	}
	n := 0
	for n < len(b) && c.broken == nil {
		if c.rest == 0 {
			if n > 0 && !c.wire.in.ready() {
				return n, nil
			}
			if c.broken = c.next(); c.broken != nil {
				break
			}
		}
		m, err := c.body.Read(b[n:min(int64(len(b)), int64(n)+c.rest)])
		n += m
		if c.rest -= int64(m); c.rest > 0 {
			c.broken = err
		}
	}
	if n > 0 || c.broken == nil {
		return n, nil
	}
	c.finished = c.finish(c.broken)
	return 0, c.finished
}

// await waits until messages may be read.
func (c *Conn) await() error {
	gate := c.gate.Load()
	if gate == nil {
		return nil
	}
	select {
	case <-*gate:
		c.gate.Store(nil)
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

// next begins the next message. One that came in several frames is read to its end first, as its size must be known.
func (c *Conn) next() error {
	limit := c.limit()
	c.ws.SetReadLimit(int64(limit))
	typ, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	c.body, c.rest = r, c.wire.in.head.size
	if !c.wire.in.head.final {
		late := time.AfterFunc(partsTime, func() { c.cut(errParts) })
		whole, err := io.ReadAll(r)
		late.Stop()
		if err != nil {
			return err
		}
		c.body, c.rest = bytes.NewReader(whole), int64(len(whole))
	}
	if c.rest == 0 {
		c.condemn(gorilla.CloseInvalidFramePayloadData)
		return errEmpty
	}
	c.arrived = append(c.arrived, arrival{size: int(c.rest), text: typ == gorilla.TextMessage})
	return nil
}

// finish is the end of reading.
func (c *Conn) finish(err error) error {
	c.body = nil
	c.wire.in.release()
	if reason := c.cutReason(); reason != nil {
		return reason
	}
	if errors.Is(err, errEmpty) {
		return err
	}
	err, bad := explain(err)
	if bad {
		c.linger()
	}
	return err
}

// condemn closes the connection for a mistake of the peer. Only for the reading goroutine.
func (c *Conn) condemn(code int) {
	c.setCode(code)
	c.sendClose()
	c.linger()
}

// linger waits for the peer to notice that it was closed.
func (c *Conn) linger() {
	c.wire.out.settle(controlWait)
	if half, ok := c.wire.Conn.(proto.WriteCloser); ok {
		_ = half.CloseWrite() // fails where the connection has gone, and then there is nothing to wait for
	}
	if c.wire.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.wire.Conn, lingerBytes) // ends with an error, always
	}
}

func (c *Conn) setCode(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.code = code
	}
}

// closeCode is the code to close with.
func (c *Conn) closeCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.code != 0:
		return c.code
	case c.owner.leaving.Load():
		return gorilla.CloseGoingAway
	}
	return gorilla.CloseNormalClosure
}

// sendClose sends a close frame, unless there was one.
func (c *Conn) sendClose() {
	// An error means that the peer cannot be told, or was.
	_ = c.ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(c.closeCode(), ""), time.Now().Add(controlWait))
}

// Write writes bytes of messages that were announced by the protocol. Only for the session.
func (c *Conn) Write(b []byte) (int, error) { return c.wire.out.write(b) }

// CloseWrite says that nothing more will be sent. The peer answers by closing.
func (c *Conn) CloseWrite() error {
	c.sendClose()
	return nil
}

// Close closes the connection, with a close frame if the peer takes one. A second Close returns what the first one did.
func (c *Conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.pings.stop()
		c.sendClose()
		c.wire.out.settle(closeWait)
		if err := c.wire.Conn.Close(); c.cutReason() == nil {
			c.err = err
		}
	})
	return c.err
}

// cut ends the connection without a word; whoever reads gets the reason.
func (c *Conn) cut(reason error) {
	c.mu.Lock()
	if c.reason == nil {
		c.reason = reason
	}
	c.mu.Unlock()
	_ = netConn(c.wire.Conn).Close() // the reader ends, and the session closes what is left
}

func (c *Conn) cutReason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// Heard reports whether the peer has sent a ping, or answered one: it is there, whether or not it has sent a message.
func (c *Conn) Heard() bool { return c.wire.in.control.Load() }

// LocalAddr returns the local address.
func (c *Conn) LocalAddr() net.Addr { return c.wire.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// SetDeadline sets the deadlines of reads and writes.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of reads. A read that misses it is the last one.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.wire.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.wire.out.setDeadline(t) }
