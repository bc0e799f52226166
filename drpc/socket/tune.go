package socket

import (
	"net"
	"sync/atomic"
	"time"
)

// tuning is what TryOptimize applies. It is process-wide, because programs set it before they make endpoints.
var tuning = func() *tune {
	t := new(tune)
	t.keepAlive.Store(true)
	t.noDelay.Store(true)
	t.readBuffer.Store(systemDefault)
	t.writeBuffer.Store(systemDefault)
	return t
}()

// systemDefault leaves a socket buffer as the system made it.
const systemDefault = -1

type tune struct {
	keepAlive, noDelay      atomic.Bool
	period                  atomic.Int64 // time.Duration; 0 is the system's
	readBuffer, writeBuffer atomic.Int64
}

// SetKeepAlive switches TCP keep-alive on new connections; on by default.
func SetKeepAlive(keepalive bool) { tuning.keepAlive.Store(keepalive) }

// SetKeepAlivePeriod sets the keep-alive period of new connections; 0 or less leaves the system's.
func SetKeepAlivePeriod(d time.Duration) { tuning.period.Store(int64(max(d, 0))) }

// SetNoDelay switches TCP_NODELAY on new connections; on by default.
func SetNoDelay(noDelay bool) { tuning.noDelay.Store(noDelay) }

// ReadBuffer returns the receive buffer of new connections in bytes, and whether it is the system's default.
func ReadBuffer() (bytes int, isDefault bool) { return bufferSize(&tuning.readBuffer) }

// SetReadBuffer sets the receive buffer of new connections in bytes; negative leaves the system's default.
func SetReadBuffer(bytes int) { tuning.readBuffer.Store(int64(max(bytes, systemDefault))) }

// WriteBuffer returns the send buffer of new connections in bytes, and whether it is the system's default.
func WriteBuffer() (bytes int, isDefault bool) { return bufferSize(&tuning.writeBuffer) }

// SetWriteBuffer sets the send buffer of new connections in bytes; negative leaves the system's default, and over unix
// sockets, whose buffer never grows by itself, asks for 512 KiB.
func SetWriteBuffer(bytes int) { tuning.writeBuffer.Store(int64(max(bytes, systemDefault))) }

func bufferSize(v *atomic.Int64) (int, bool) {
	n := int(v.Load())
	return n, n == systemDefault
}

// TryOptimize applies the settings above as far as the kind of connection has them; one that lies over another, as that
// of TLS does, has those of the one below. Errors are ignored: the connection works without, and one that is broken tells
// so at its first read.
func TryOptimize(conn net.Conn) {
	if c, ok := within[interface{ SetKeepAlive(bool) error }](conn); ok {
		_ = c.SetKeepAlive(tuning.keepAlive.Load())
	}
	if c, ok := within[interface{ SetKeepAlivePeriod(time.Duration) error }](conn); ok && tuning.keepAlive.Load() {
		if d := time.Duration(tuning.period.Load()); d > 0 {
			_ = c.SetKeepAlivePeriod(d)
		}
	}
	if c, ok := within[interface{ SetNoDelay(bool) error }](conn); ok {
		_ = c.SetNoDelay(tuning.noDelay.Load())
	}
	if n, isDefault := ReadBuffer(); !isDefault {
		if c, ok := within[interface{ SetReadBuffer(int) error }](conn); ok {
			_ = c.SetReadBuffer(n)
		}
	}
	if n, isDefault := WriteBuffer(); !isDefault {
		if c, ok := within[interface{ SetWriteBuffer(int) error }](conn); ok {
			_ = c.SetWriteBuffer(n)
		}
	} else if c, ok := within[*net.UnixConn](conn); ok {
		_ = c.SetWriteBuffer(unixWriteBuffer)
	}
}

// unixWriteBuffer is what is asked for in bytes over unix sockets. That of TCP grows as it is used; theirs stays as it is
// made, mostly 208 KiB, which three bodies of 64 KiB fill, and then the two sides work in turns.
const unixWriteBuffer = 512 << 10

// within returns the first of conn and the connections below it that is a T.
func within[T any](conn net.Conn) (found T, ok bool) {
	for conn != nil {
		if found, ok = conn.(T); ok {
			return found, true
		}
		over, wraps := conn.(interface{ NetConn() net.Conn })
		if !wraps {
			break
		}
		conn = over.NetConn()
	}
	return found, false
}

// minUserTimeout keeps a short write timeout from ending a connection for a few losses in a row, which the system repairs.
const minUserTimeout = 10 * time.Second

// limitSilence makes the system end a TCP connection whose peer has not acknowledged anything for that long: bytes that
// were handed to the system are out of sight of the write timeout, and it would repeat them for a quarter of an hour.
func limitSilence(conn net.Conn, timeout time.Duration) {
	if c, ok := within[*net.TCPConn](conn); ok && timeout > 0 {
		setUserTimeout(c, max(timeout, minUserTimeout))
	}
}
