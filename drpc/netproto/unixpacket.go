package netproto

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// maxSeqPacket is the largest packet in bytes that is sent or taken over unixpacket. Systems take more than that in their
// default socket buffers.
const maxSeqPacket = 64 << 10

// minSeqPacket is how far packets are made smaller for a socket with a small send buffer.
const minSeqPacket = 512

// ErrPacketTooLong ends a unixpacket connection whose peer sent a packet of more than 64 KiB: the rest of it is lost.
var ErrPacketTooLong = errors.New("a packet of more than 64 KiB came over unixpacket")

// seqListener accepts seqConns.
type seqListener struct{ net.Listener }

func (l seqListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &seqConn{Conn: conn}, nil
}

// seqConn makes a stream of a connection that keeps the limits of packets: the system throws away what a reader's buffer
// has no room for, and refuses packets that are larger than a send buffer.
//
// It is no syscall.Conn, since whoever wrote to the descriptor itself would pass that by.
type seqConn struct {
	net.Conn

	reading sync.Mutex
	buf     []byte // for callers whose own buffer may be too small
	ahead   []byte // what is left in buf

	writing sync.Mutex
	limit   int // of a packet; 0 is maxSeqPacket
}

// NetConn returns the socket underneath.
func (c *seqConn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends the writing direction.
func (c *seqConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

func (c *seqConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	if len(c.ahead) == 0 {
		if len(b) > maxSeqPacket {
			return c.readPacket(b)
		}
		if c.buf == nil {
			c.buf = make([]byte, maxSeqPacket+1)
		}
		n, err := c.readPacket(c.buf)
		if err != nil {
			return 0, err
		}
		c.ahead = c.buf[:n]
	}
	n := copy(b, c.ahead)
	c.ahead = c.ahead[n:]
	return n, nil
}

// readPacket reads a packet into b, which has room for one byte more than a packet may have.
func (c *seqConn) readPacket(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:maxSeqPacket+1])
	if n > maxSeqPacket {
		_ = c.Conn.Close() // what would follow makes no sense
		return 0, ErrPacketTooLong
	}
	return n, err
}

func (c *seqConn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.limit == 0 {
		c.limit = maxSeqPacket
	}
	sent := 0
	for sent < len(b) {
		n, err := c.Conn.Write(b[sent:min(sent+c.limit, len(b))])
		sent += n
		if err == nil {
			continue
		}
		if !errors.Is(err, syscall.EMSGSIZE) || c.limit <= minSeqPacket {
			return sent, err
		}
		c.limit /= 2
	}
	return sent, nil
}
