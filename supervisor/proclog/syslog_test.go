//go:build !windows && !plan9

package proclog

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

func TestSyslogTakesLines(t *testing.T) {
	t.Parallel()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l := open(t, "syslog@udp:"+server.LocalAddr().String(), Config{Name: "app"})
	l.SetPid(17)
	if _, err = io.WriteString(l, "one\r\n\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	for _, want := range []string{"one", "two"} {
		n, _, err := server.ReadFrom(buf)
		if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, "<30>") || !strings.Contains(got, "app(17)") ||
			!strings.HasSuffix(got, ": "+want+"\n") {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err = l.Close(); err != nil {
		t.Error(err)
	}
	if _, err = io.WriteString(l, "three\n"); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestASyslogThatIsDownIsNotDialledAgainAtOnce(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	l := open(t, "syslog@tcp:"+gone.Addr().String(), Config{Name: "app"})
	if _, err = io.WriteString(l, "one\n"); !errors.Is(err, errSyslogDown) || err == errSyslogDown {
		t.Errorf("the first write tells why: %v", err)
	}
	if _, err = io.WriteString(l, "two\n"); err != errSyslogDown {
		t.Errorf("the second one does not dial: %v", err)
	}
}

// A collector that reads no more must not keep a program from being started or stopped.
func TestASyslogThatHangsHoldsUpNobodyButTheWrite(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	l := open(t, "syslog@tcp:"+server.Addr().String(), Config{Name: "app"})
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(l, strings.Repeat("x", 64<<20)+"\n") // more than any socket takes
	}()
	_ = polltest.Receive(t, "the look whether it is there", accepted).Close()
	c := polltest.Receive(t, "the connection", accepted) // now the write has the lock, and hangs
	free := make(chan struct{})
	go func() {
		defer close(free)
		l.SetPid(1)
		_ = l.Close()
	}()
	polltest.Receive(t, "the end of SetPid and Close", free)
	_ = server.Close() // first, or the write would connect again
	_ = c.Close()
	polltest.Receive(t, "the end of the write", written)
}
