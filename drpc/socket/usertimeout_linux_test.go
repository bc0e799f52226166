package socket_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osgochina/dmicro/drpc/socket"
)

func TestPeerThatAcknowledgesNothingIsGivenUpBySystem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ writeTimeout, want time.Duration }{
		"none":   {0, 0},
		"short":  {time.Millisecond, 10 * time.Second},
		"longer": {time.Minute, time.Minute},
	} {
		a, _ := tcpPair(t)
		plain := socket.New(a, socket.Options{WriteTimeout: tt.writeTimeout})
		clientEnd, _ := tlsPair(t)
		secured := socket.New(clientEnd, socket.Options{WriteTimeout: tt.writeTimeout})
		for _, s := range []*socket.Conn{plain, secured} {
			got := -1
			err := s.ControlFD(func(fd uintptr) { got, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) })
			if err != nil || time.Duration(got)*time.Millisecond != tt.want {
				t.Errorf("%s: %d ms, %v", name, got, err)
			}
		}
	}
}
