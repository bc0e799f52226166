//go:build !windows

package dserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// httpLoad is requests that go on while an application stops. Each client asks until it is refused.
type httpLoad struct {
	t  *testing.T
	e  *testEnv
	wg sync.WaitGroup

	mu       sync.Mutex
	answered map[string]bool // by id
	refused  int             // clients
	lost     []error         // requests that ended in another way
}

// client makes one request after the other, over a kept connection or over one each.
func (l *httpLoad) client(kind string, keep bool, number int) {
	tr := &http.Transport{DisableKeepAlives: !keep}
	l.t.Cleanup(tr.CloseIdleConnections)
	client := &http.Client{Transport: tr, Timeout: callPatience}
	l.wg.Go(func() {
		for n := 0; l.ask(client, kind, fmt.Sprintf("%s-%v-%d-%d", kind, keep, number, n)); n++ {
		}
	})
}

// ask makes one request, and reports whether it was answered.
func (l *httpLoad) ask(client *http.Client, kind, id string) bool {
	resp, err := client.Get("http://" + l.e.addr(kind) + "/do?id=" + id)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.answered[id] = true
	case errors.Is(err, syscall.ECONNREFUSED):
		l.refused++
	default:
		l.lost = append(l.lost, fmt.Errorf("%s: %w", id, err))
	}
	return err == nil
}

func (l *httpLoad) count() (answered, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answered), l.refused
}

func (l *httpLoad) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lost) > 0
}

// executed is how often the application has executed each request.
func (e *testEnv) executed() map[string]int {
	e.t.Helper()
	times := map[string]int{}
	files, _ := filepath.Glob(filepath.Join(e.dir, "done.*")) // the pattern is good
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			e.t.Fatal(err)
		}
		for id := range strings.FieldsSeq(string(text)) {
			times[id]++
		}
	}
	return times
}

// idleConn returns a connection that was used once and is kept.
func idleConn(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * polltest.Patience))
	if _, err := io.WriteString(c, "GET /do?id=idle HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Close {
		t.Fatalf("%v, connection kept: %v", err, !resp.Close)
	}
	return c
}

// A server that stops answers every request that it has let in: those under way, those on kept connections, and those on
// connections that nobody has accepted yet. The others are refused. Idle connections are closed, not reset.
func TestStopUnderHTTPLoadLosesNoRequest(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(t *testing.T) *testEnv{
		"single":              func(t *testing.T) *testEnv { return newPortsEnv(t, "nethttp") },
		"multi":               func(t *testing.T) *testEnv { return newMultiEnv(t, "nethttp", false) },
		"multi, sockets held": func(t *testing.T) *testEnv { return newMultiEnv(t, "nethttp", true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := place(t)
			p := e.serve()
			l := &httpLoad{t: t, e: e, answered: map[string]bool{}}
			kinds := []string{"http", "nethttp"}
			var idle []net.Conn
			for _, kind := range kinds {
				idle = append(idle, idleConn(t, e.addr(kind)))
			}
			e.sets("http", "slow")
			var slow sync.WaitGroup
			for _, kind := range kinds {
				tr := &http.Transport{DisableKeepAlives: true}
				slow.Go(func() { l.ask(&http.Client{Transport: tr, Timeout: 2 * polltest.Patience}, kind, "slow") })
			}
			polltest.Until(t, "requests that take long", func() bool { return e.executed()["slow"] == len(kinds) })
			clients := 0
			for _, kind := range kinds {
				for i := range 3 {
					l.client(kind, true, i)
					l.client(kind, false, i)
					clients += 2
				}
			}
			polltest.Until(t, "requests", func() bool {
				answered, _ := l.count()
				return answered >= 300 || l.failed()
			})
			p.signal(syscall.SIGTERM)
			polltest.Until(t, "a refusal", func() bool {
				_, refused := l.count()
				return refused > 0 || l.failed()
			})
			e.sets("http", "") // those that take long end amid the stop
			slow.Wait()
			l.wg.Wait()
			if code := p.wait(); code != codeOK {
				t.Errorf("exit code %d\n%s", code, p.out.String())
			}
			for _, c := range idle {
				if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("an idle connection: %d bytes, %v", n, err)
				}
			}
			for id, times := range e.executed() {
				if id != "idle" && (!l.answered[id] || times != 1 && id != "slow") {
					t.Errorf("%s was executed %d times, answered: %v", id, times, l.answered[id])
				}
			}
			if refusesEarly(t) && (len(l.lost) > 0 || l.refused != clients) {
				t.Errorf("%d of %d clients were refused; lost: %v\n%s", l.refused, clients, errors.Join(l.lost...), p.out.String())
			}
			t.Logf("%d requests answered, %d lost, %d clients refused", len(l.answered), len(l.lost), l.refused)
		})
	}
}
