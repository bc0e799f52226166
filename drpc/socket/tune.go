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

// SetWriteBuffer sets the send buffer of new connections in bytes; negative leaves the system's default.
func SetWriteBuffer(bytes int) { tuning.writeBuffer.Store(int64(max(bytes, systemDefault))) }

func bufferSize(v *atomic.Int64) (int, bool) {
	n := int(v.Load())
	return n, n == systemDefault
}

// TryOptimize applies the settings above as far as the kind of connection has them. Errors are ignored: the
// connection works without, and one that is broken tells so at its first read.
func TryOptimize(conn net.Conn) {
	if c, ok := conn.(interface{ SetKeepAlive(bool) error }); ok {
		_ = c.SetKeepAlive(tuning.keepAlive.Load())
	}
	if c, ok := conn.(interface{ SetKeepAlivePeriod(time.Duration) error }); ok && tuning.keepAlive.Load() {
		if d := time.Duration(tuning.period.Load()); d > 0 {
			_ = c.SetKeepAlivePeriod(d)
		}
	}
	if c, ok := conn.(interface{ SetNoDelay(bool) error }); ok {
		_ = c.SetNoDelay(tuning.noDelay.Load())
	}
	if c, ok := conn.(interface{ SetReadBuffer(int) error }); ok {
		if n, isDefault := ReadBuffer(); !isDefault {
			_ = c.SetReadBuffer(n)
		}
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		if n, isDefault := WriteBuffer(); !isDefault {
			_ = c.SetWriteBuffer(n)
		}
	}
}
