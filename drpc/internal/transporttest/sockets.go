package transporttest

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// descriptorCanBeHad reaches the file descriptor of each side, with TLS and without.
func descriptorCanBeHad(t *testing.T, tr Transport) {
	for _, withTLS := range []bool{false, true} {
		p := tr.pair(t)
		if withTLS {
			secure(p, certtest.New(t))
		}
		sess := p.listen(t).dial(t)
		for side, s := range map[string]drpc.Session{"client": sess, "server": p.accepted(t)} {
			var descriptor uintptr
			err := s.(drpc.EarlySession).ControlFD(func(fd uintptr) { descriptor = fd })
			if err != nil || descriptor == 0 && runtime.GOOS != "windows" {
				t.Errorf("TLS %v, %s: descriptor %d, %v", withTLS, side, descriptor, err)
			}
		}
	}
}

// spy is a plugin that gets to know each connection, on either side.
type spy func(net.Conn)

// Name returns the name of the plugin.
func (spy) Name() string { return "spy" }

// AfterDial looks at a connection that was dialled.
func (s spy) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status { return s.look(sess) }

// AfterAccept looks at a connection that was accepted.
func (s spy) AfterAccept(sess drpc.EarlySession) *drpc.Status { return s.look(sess) }

func (s spy) look(sess drpc.EarlySession) *drpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
		s(conn)
		return nil, nil
	})
	return nil
}

// bottom is what lies below all that was laid over it.
func bottom(conn net.Conn) net.Conn {
	for {
		over, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = over.NetConn()
	}
}

// counted is a connection that a program has put in place.
type counted struct {
	net.Conn
	read, written *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// counter is a plugin that counts the bytes of each connection.
type counter struct{ read, written atomic.Int64 }

// Name returns the name of the plugin.
func (*counter) Name() string { return "counter" }

// AfterDial puts a connection in place that counts.
func (c *counter) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status { return c.put(sess) }

// AfterAccept puts a connection in place that counts.
func (c *counter) AfterAccept(sess drpc.EarlySession) *drpc.Status { return c.put(sess) }

func (c *counter) put(sess drpc.EarlySession) *drpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
		return counted{conn, &c.read, &c.written}, nil
	})
	return nil
}

// connectionCanBeReplaced has plugins on both sides put another connection in place.
func connectionCanBeReplaced(t *testing.T, tr Transport) {
	const size = 100_000
	serverConfig, clientConfig := tr.configs(t.TempDir())
	here, there := new(counter), new(counter)
	p := &peers{
		server: closing(t, func() (drpc.Endpoint, error) { return tr.newServer(serverConfig, there) }),
		client: closing(t, func() (drpc.Endpoint, error) { return tr.newClient(clientConfig, here) }),
	}
	echo(p.server)
	if err := callEcho(p.listen(t).dial(t), make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	// The reply may be here before the write that brought it has returned, so that the count comes later.
	for side, c := range map[string]*counter{"client": here, "server": there} {
		polltest.Until(t, side+" has counted what went through", func() bool {
			return c.read.Load() >= size && c.written.Load() >= size
		})
	}
}
