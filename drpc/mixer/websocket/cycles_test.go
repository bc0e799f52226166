package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/race"
)

// TestConnectAndCloseLeaveNothing is not parallel: it counts what the process has.
func TestConnectAndCloseLeaveNothing(t *testing.T) {
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	addr := serve(t, s)
	c := newTestClient(t, "/", drpc.EndpointConfig{})
	cycle := func(n int) {
		for i := range n {
			sess := dial(t, c, addr)
			if i%10 == 0 {
				works(t, sess)
			}
			if err := sess.Close(); err != nil {
				t.Fatal(err)
			}
		}
		waitFor(t, "the end of the sessions", func() bool { return s.CountSession() == 0 && c.CountSession() == 0 })
	}
	n := 1000
	if race.Enabled {
		n = 300
	}
	cycle(50)
	fds, goroutines := descriptors(t), runtime.NumGoroutine()
	cycle(n)
	waitFor(t, "descriptors and goroutines as before", func() bool {
		return descriptors(t) <= fds+2 && runtime.NumGoroutine() <= goroutines+5
	})
}

// descriptors counts what the process has open, where the system tells.
func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not tell open descriptors")
	}
	return len(entries)
}

// acceptKey answers the key in a request.
func acceptKey(request string) string {
	_, key, _ := strings.Cut(request, "Sec-WebSocket-Key: ")
	key, _, _ = strings.Cut(key, "\r\n")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
