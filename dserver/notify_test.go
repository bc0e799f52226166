//go:build !windows

package dserver

import (
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

// The service manager learns of every step, in both process models.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	for model, wants := range map[string][]string{
		"single": {"READY=1", "RELOADING=1", "MAINPID=", "STOPPING=1"},
		"multi":  {"READY=1", "RELOADING=1", "STOPPING=1"},
	} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			e := newPortsEnv(t, "tcponly,"+model)
			path := filepath.Join(e.dir, "notify")
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var told strings.Builder
			read := make(chan struct{})
			go func() {
				defer close(read)
				for b := make([]byte, 4096); ; {
					n, err := conn.Read(b)
					if err != nil {
						return
					}
					mu.Lock()
					told.WriteString(string(b[:n]) + "\n")
					mu.Unlock()
				}
			}()
			e.extra = append(e.extra, "NOTIFY_SOCKET="+path)
			e.serve()
			e.run("reload").want(t, codeOK)
			e.run("stop").want(t, codeOK)
			polltest.Until(t, "the last notification", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return strings.Contains(told.String(), "STOPPING=1")
			})
			_ = conn.Close()
			<-read
			rest := told.String()
			for _, want := range wants {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("%s is missing after what came before:\n%s", want, told.String())
				}
				rest = after
			}
		})
	}
}
