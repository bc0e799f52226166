package graceful

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// httpQuiet is how long a connection must have been silent before it counts as idle.
const httpQuiet = time.Second

// httpSettle is how long a drain takes at least: a connection that was accepted in the last moment may still be on its way
// through Accept, and is not known yet.
const httpSettle = 100 * time.Millisecond

// httpPoll is how often connections are looked at while a server drains.
const httpPoll = 10 * time.Millisecond

// HTTPDrain lets an HTTP server leave without losing a request. [http.Server.Shutdown] alone is not enough: it closes
// connections whose request is on its way, new ones and kept ones alike. So before, each connection gets an answer with
// "Connection: close", or a second in which nothing happens on it.
//
//	var drain graceful.HTTPDrain
//	srv := &http.Server{Handler: drain.Handler(mux)}
//	go srv.Serve(drain.Listener(ln))
//	...                             // time to leave
//	err := drain.Wait(ctx)
//	err = srv.Shutdown(ctx)
//
// The zero value is ready for use, and for more than one server. Its methods may be used concurrently.
type HTTPDrain struct {
	leaving atomic.Bool

	mu        sync.Mutex
	conns     map[*httpConn]struct{}
	listeners []*httpListener
}

// Listener returns ln with its connections watched. With TLS, it goes below tls.NewListener. Once Wait has closed ln, Accept
// waits for Close, because the end of Accept is more than the end of accepting to some servers: see Patient.
func (d *HTTPDrain) Listener(ln net.Listener) net.Listener {
	l := &httpListener{Listener: ln, drain: d, closed: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listeners = append(d.listeners, l)
	return l
}

// Handler returns h with the answers of a server that leaves asking the client to come back with a new connection.
func (d *HTTPDrain) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.Leaving() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// Leaving reports whether Wait was called. A framework that cannot take Handler, such as ghttp, asks it in a middleware
// and sets the header by itself.
func (d *HTTPDrain) Leaving() bool { return d.leaving.Load() }

// Wait closes what Listener was given, so that new connections do not keep the server from ending, and returns when every
// connection is closed or has been silent for a second, also one that was accepted in the last moment: Shutdown interrupts
// nobody then. A listener of this package, Patient or not, is closed only when the connections that wait in it have been
// accepted, 3 s at most. The error is that of ctx; Shutdown is due then all the same.
func (d *HTTPDrain) Wait(ctx context.Context) error {
	d.leaving.Store(true)
	began := time.Now()
	d.withdraw(ctx)
	closed := time.Now()
	tick := time.NewTicker(httpPoll)
	defer tick.Stop()
	for !d.quiet(began, closed) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// withdraw ends accepting, with those who have come before.
func (d *HTTPDrain) withdraw(ctx context.Context) {
	d.mu.Lock()
	listeners := d.listeners
	d.listeners = nil
	d.mu.Unlock()
	var all sync.WaitGroup
	for _, l := range listeners {
		l.withdrawn.Store(true)
		all.Go(func() {
			if r, ok := l.Listener.(retiring); ok {
				r.retire(ctx)
			}
			_ = l.shut() // Close has its error
		})
	}
	all.Wait()
}

// quiet reports whether no connection has had traffic lately. Silence from before the drain does not count: whoever
// has a connection gets the time to use it once more.
func (d *HTTPDrain) quiet(began, closed time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(closed) < httpSettle {
		return false
	}
	if len(d.conns) == 0 {
		return true
	}
	if time.Since(began) < httpQuiet {
		return false
	}
	for c := range d.conns {
		if time.Since(epoch)-time.Duration(c.last.Load()) < httpQuiet {
			return false
		}
	}
	return true
}

type httpListener struct {
	net.Listener
	drain     *HTTPDrain
	withdrawn atomic.Bool // the drain has closed the listener, not its user
	shutOnce  sync.Once
	shutErr   error
	once      sync.Once
	closed    chan struct{} // closed by Close
}

func (l *httpListener) shut() error {
	l.shutOnce.Do(func() { l.shutErr = l.Listener.Close() })
	return l.shutErr
}

// Close ends an Accept that waits. What it returns is how the socket was closed, whoever did that.
func (l *httpListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.drain.mu.Lock()
		defer l.drain.mu.Unlock()
		l.drain.listeners = slices.DeleteFunc(l.drain.listeners, func(other *httpListener) bool { return other == l })
	})
	return l.shut()
}

func (l *httpListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		if errors.Is(err, net.ErrClosed) && l.withdrawn.Load() {
			<-l.closed
		}
		return nil, err
	}
	c := &httpConn{Conn: conn, drain: l.drain}
	c.touch()
	l.drain.mu.Lock()
	defer l.drain.mu.Unlock()
	if l.drain.conns == nil {
		l.drain.conns = make(map[*httpConn]struct{})
	}
	l.drain.conns[c] = struct{}{}
	return c, nil
}

// httpConn notes when something last happened on a connection.
type httpConn struct {
	net.Conn
	drain *HTTPDrain
	last  atomic.Int64 // when, as time since epoch
}

// epoch is what the times of connections are counted from.
var epoch = time.Now()

func (c *httpConn) touch() { c.last.Store(int64(time.Since(epoch))) }

func (c *httpConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.touch()
	}
	return n, err
}

func (c *httpConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.touch()
	return n, err
}

// ReadFrom keeps the short way from a file to a socket.
func (c *httpConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.Conn, r)
	c.touch()
	return n, err
}

// CloseWrite is how net/http makes sure that a last answer is read.
func (c *httpConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *httpConn) Close() error {
	c.drain.mu.Lock()
	delete(c.drain.conns, c)
	c.drain.mu.Unlock()
	return c.Conn.Close()
}
