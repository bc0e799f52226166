//go:build !windows

package dserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// load is calls that go on while an application is reloaded. Each has an id; what the application has executed is
// compared in the end.
type load struct {
	t    *testing.T
	e    *testEnv
	stop chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	calls map[string]string // ids by kind
	count map[string]*atomic.Int64
}

func newLoad(t *testing.T, e *testEnv) *load {
	return &load{t: t, e: e, stop: make(chan struct{}), calls: map[string]string{}, count: map[string]*atomic.Int64{}}
}

// callPatience bounds a call. Nothing waits that long, unless something is wrong.
const callPatience = 60 * time.Second

// keep makes one call after the other until the end.
func (l *load) keep(kind string, call func(id string) error) {
	l.mu.Lock()
	if l.count[kind] == nil {
		l.count[kind] = new(atomic.Int64)
	}
	count := l.count[kind]
	l.mu.Unlock()
	caller := l.number()
	l.wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			default:
			}
			id := fmt.Sprintf("%s-%d-%d", kind, caller, n)
			l.mu.Lock()
			l.calls[id] = kind
			l.mu.Unlock()
			if err := call(id); err != nil {
				l.t.Errorf("%s: %v", id, err)
				return
			}
			count.Add(1)
		}
	})
}

func (l *load) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[fmt.Sprint("caller", len(l.calls))] = ""
	return len(l.calls)
}

// some waits until each kind of load has made some calls.
func (l *load) some() {
	l.t.Helper()
	before := map[string]int64{}
	for kind, n := range l.count {
		before[kind] = n.Load()
	}
	for kind, n := range l.count {
		polltest.Until(l.t, "calls of "+kind, func() bool { return n.Load() >= before[kind]+10 || l.t.Failed() })
	}
}

// end stops the load and checks that every call was executed once.
func (l *load) end() {
	l.t.Helper()
	close(l.stop)
	l.wg.Wait()
	executed := l.e.executed()
	failed := map[string]int{}
	total := map[string]int{}
	for id, kind := range l.calls {
		if kind == "" {
			continue
		}
		total[kind]++
		if executed[id] != 1 {
			failed[kind]++
			l.t.Errorf("%s was executed %d times", id, executed[id])
		}
	}
	l.t.Logf("calls %v, not executed once %v", total, failed)
}

// session keeps calling over one session of drpc, the peer of which changes.
func (l *load) session(kind, network, addr string) {
	l.t.Helper()
	p := dialApp(l.t, network, addr)
	l.keep(kind, func(id string) error { return callOnce(p.sess, id) })
}

func callOnce(sess drpc.Session, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	var pid int
	if stat := sess.Call("/work/do", id, &pid, message.WithContext(ctx)).Status(); !stat.OK() {
		return errors.New(stat.String())
	}
	return nil
}

// fresh makes a new connection for every call.
func (l *load) fresh(kind, network, addr string) {
	l.t.Helper()
	ep, err := drpc.New(drpc.EndpointConfig{Network: network, DialTimeout: callPatience})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = ep.Close() })
	l.keep(kind, func(id string) error {
		sess, stat := ep.Dial(addr)
		if !stat.OK() {
			return errors.New(stat.String())
		}
		defer func() { _ = sess.Close() }()
		return callOnce(sess, id)
	})
}

func (l *load) websocket(addr string) {
	l.t.Helper()
	ep := websocket.NewClient("/ws", drpc.EndpointConfig{RedialTimes: 50, RedialInterval: 20 * time.Millisecond, DialTimeout: callPatience})
	l.t.Cleanup(func() { _ = ep.Close() })
	sess, stat := ep.DialJSON(addr)
	if !stat.OK() {
		l.t.Fatal(stat)
	}
	l.keep("websocket", func(id string) error { return callOnce(sess, id) })
}

// http keeps asking ghttp, over kept connections or fresh ones.
func (l *load) http(kind, addr string, keep bool) {
	tr := &http.Transport{DisableKeepAlives: !keep}
	l.t.Cleanup(tr.CloseIdleConnections)
	client := &http.Client{Transport: tr, Timeout: callPatience}
	l.keep(kind, func(id string) error {
		resp, err := client.Post("http://"+addr+"/do?id="+id, "text/plain", strings.NewReader("x"))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return errors.Join(err, resp.Body.Close())
	})
}

func TestReloadsUnderLoadLoseNoCallAndRunNoneTwice(t *testing.T) {
	reloads := 3
	if soak() {
		reloads = 20
	}
	for name, make := range map[string]func(t *testing.T) *testEnv{
		"single": func(t *testing.T) *testEnv { return newPortsEnv(t, "plain") },
		"multi":  func(t *testing.T) *testEnv { return newMultiEnv(t, "", true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := make(t)
			p := e.serve()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(p.out.String())
				}
			})
			l := newLoad(t, e)
			for range 2 {
				l.session("tcp", "tcp", e.addr("tcp"))
				l.session("unix", "unix", e.addr("unix"))
			}
			l.websocket(e.addr("web"))
			l.fresh("tcp_fresh", "tcp", e.addr("tcp"))
			l.fresh("unix_fresh", "unix", e.addr("unix"))
			l.http("http", e.addr("http"), true)
			l.http("http_fresh", e.addr("http"), false)
			began := time.Now()
			for range reloads {
				l.some()
				e.run("reload").want(t, codeOK)
			}
			l.some()
			l.end()
			t.Logf("%d reloads in %v", reloads, time.Since(began).Round(time.Millisecond))
			e.run("stop").want(t, codeOK)
			e.wantNoFiles()
		})
	}
}
