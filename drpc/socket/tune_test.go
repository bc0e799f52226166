package socket_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/socket"
)

// tuned is a connection that notes what it is told.
type tuned struct {
	net.Conn
	keepAlive, noDelay *bool
	period             time.Duration
	read, write        int
}

func (c *tuned) SetKeepAlive(on bool) error               { c.keepAlive = &on; return nil }
func (c *tuned) SetKeepAlivePeriod(d time.Duration) error { c.period = d; return nil }
func (c *tuned) SetNoDelay(on bool) error                 { c.noDelay = &on; return nil }
func (c *tuned) SetReadBuffer(n int) error                { c.read = n; return nil }
func (c *tuned) SetWriteBuffer(n int) error               { c.write = n; return nil }

// over is a connection that lies over another.
type over struct{ net.Conn }

func (c over) NetConn() net.Conn { return c.Conn }

// Not parallel: the settings are those of the whole process.
func TestTryOptimizeAppliesTheSettings(t *testing.T) {
	t.Cleanup(func() {
		socket.SetKeepAlive(true)
		socket.SetKeepAlivePeriod(0)
		socket.SetNoDelay(true)
		socket.SetReadBuffer(-1)
		socket.SetWriteBuffer(-1)
	})
	var c tuned
	socket.TryOptimize(&c)
	if !*c.keepAlive || !*c.noDelay || c.period != 0 || c.read != 0 || c.write != 0 {
		t.Errorf("defaults: %+v", c)
	}
	if n, isDefault := socket.ReadBuffer(); n != -1 || !isDefault {
		t.Error(n, isDefault)
	}
	socket.SetKeepAlivePeriod(time.Minute)
	socket.SetNoDelay(false)
	socket.SetReadBuffer(1000)
	socket.SetWriteBuffer(2000)
	socket.TryOptimize(&c)
	if !*c.keepAlive || *c.noDelay || c.period != time.Minute || c.read != 1000 || c.write != 2000 {
		t.Errorf("changed: %+v", c)
	}
	if n, isDefault := socket.WriteBuffer(); n != 2000 || isDefault {
		t.Error(n, isDefault)
	}
	socket.SetKeepAlive(false)
	c = tuned{}
	socket.TryOptimize(&c)
	if *c.keepAlive || c.period != 0 {
		t.Errorf("without keep-alive: %+v", c)
	}
	socket.SetReadBuffer(3000)
	c = tuned{}
	socket.TryOptimize(tls.Client(over{&c}, nil)) // what lies below counts
	if c.keepAlive == nil || c.noDelay == nil || c.read != 3000 {
		t.Errorf("below: %+v", c)
	}
	a, b := net.Pipe()
	socket.TryOptimize(a) // has none of it
	socket.TryOptimize(over{nil})
	_, _ = a.Close(), b.Close()
}
