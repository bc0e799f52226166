package transporttest

import (
	"net"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
)

// silence has peers that connect and say nothing, beside one that is spared since it is spoken to.
func silence(t *testing.T, tr Transport) {
	p := tr.pair(t, func(server, _ *drpc.EndpointConfig) { server.FirstFrameTimeout = 2 * time.Second })
	drpc.HandlePush(p.client, "/news", func(drpc.PushCtx, *[]byte) *drpc.Status { return nil })
	sess := p.listen(t).dial(t)
	if stat := p.accepted(t).Push("/news", []byte("listen")); stat != nil {
		t.Fatal(stat)
	}
	var strangers []net.Conn
	for range 5 {
		strangers = append(strangers, tr.raw(t, p.addr.String()))
	}
	polltest.Until(t, "the strangers are there", func() bool { return p.server.CountSession() > 1 })
	for _, conn := range strangers {
		if !isClosed(conn) {
			t.Error("a stranger that says nothing is not closed")
		}
	}
	polltest.Until(t, "the strangers are gone", func() bool { return p.server.CountSession() == 1 })
	honest(t, sess)
}

// endlessFrame begins a frame, which never comes to its end.
func endlessFrame(t *testing.T, tr Transport) {
	p := tr.pair(t, func(server, _ *drpc.EndpointConfig) {
		server.FrameTimeout, server.FirstFrameTimeout = 2*time.Second, 2*time.Second
	}).listen(t)
	known := p.dial(t)
	honest(t, known)
	conn := tr.raw(t, p.addr.String())
	_, _ = conn.Write(tr.beginning())
	if !isClosed(conn) {
		t.Error("it is waited for without end")
	}
	honest(t, known)
}

// beginning is how a frame begins, of a size that is allowed.
func (tr Transport) beginning() []byte {
	if tr.Beginning != nil {
		return tr.Beginning
	}
	return []byte{0, 0, 1, 0, 1} // 256 bytes of the raw protocol
}
