//go:build !windows

package dserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gogf/gf/v2/frame/g"
	"github.com/gogf/gf/v2/net/ghttp"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

// netApp is an application with the sandboxes TcpBox (tcp, and a unix socket in the working directory), WebBox (websocket) and
// HTTPBox (ghttp), each in a service of its own. Each notes in a file, named after its process, what it has executed. What the
// next process does is set by files in the working directory; see habit.
func netApp(traits []string) {
	has := map[string]bool{}
	for _, t := range traits {
		has[t] = true
	}
	if has[traitInit] && os.Getpid() == 1 {
		mountProc()
	}
	SetName("TestApp")
	bePatient(!has["hasty"])
	if has["noctl"] {
		CloseCtl()
	}
	Setup(func(svr *DServer) {
		switch habit("start") {
		case "exit":
			fmt.Fprintln(os.Stderr, "broken on purpose")
			os.Exit(7)
		case "hang":
			select {}
		}
		if has["multi"] {
			svr.ProcessModel(ProcessModelMulti)
		}
		if has["veto"] {
			svr.BeforeStop(func(*DServer) bool { return false })
		}
		if has["vetofile"] {
			svr.BeforeStop(func(*DServer) bool { return os.Remove("habit.veto") != nil })
		}
		if list := os.Getenv("INHERIT"); list != "" {
			svr.SetInheritListener(inheritList(list))
		}
		add(svr, &tcpBox{slow: has["slow"]}, svr.NewService("tcp"))
		if os.Getenv("PAGE") != "" {
			add(svr, &figuresBox{kind: "count"}, svr.NewService("count"))
			add(svr, &figuresBox{kind: "tally"}, svr.NewService("tally"))
		}
		if !has["tcponly"] && !has["udp"] {
			add(svr, &webBox{}, svr.NewService("web"))
			add(svr, &httpBox{}, svr.NewService("http"))
		}
		if has["nethttp"] {
			add(svr, &netHTTPBox{}, svr.NewService("nethttp"))
		}
		if has["mate"] {
			add(svr, &appSandbox{name: "MateBox"}, svr.NewService("tcp"))
		}
	})
}

// inheritList reads "tcp 127.0.0.1 80,unix /path".
func inheritList(text string) (list []InheritAddr) {
	for item := range strings.SplitSeq(text, ",") {
		f := append(strings.Fields(item), "0")
		port, _ := strconv.Atoi(f[2])
		list = append(list, InheritAddr{Network: f[0], Host: f[1], Port: port})
	}
	return list
}

// habit is what a file in the working directory says that this process shall do.
func habit(name string) string {
	text, _ := os.ReadFile("habit." + name)
	return string(text)
}

// record notes the ids of what was executed.
type record struct {
	once sync.Once
	mu   sync.Mutex
	file *os.File
}

var executed record

func (r *record) note(id string) {
	r.once.Do(func() {
		r.file, _ = os.OpenFile("done."+strconv.Itoa(os.Getpid()), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.file.WriteString(id + "\n")
}

// announce writes an address where the test finds it.
func announce(kind, addr string) {
	tmp := "addr." + kind + "." + strconv.Itoa(os.Getpid())
	_ = os.WriteFile(tmp, []byte(addr), 0o600)
	_ = os.Rename(tmp, "addr."+kind)
}

// Work is what the application does.
type Work struct{ drpc.CallCtx }

// Do executes a call.
func (w *Work) Do(id *string) (int, *drpc.Status) {
	executed.note(*id)
	return os.Getpid(), nil
}

// Wait executes a call that takes as long as it says, in milliseconds.
func (w *Work) Wait(ms *int) (int, *drpc.Status) {
	executed.note("wait")
	time.Sleep(time.Duration(*ms) * time.Millisecond)
	return os.Getpid(), nil
}

// Spawn starts a program that outlives everything, and returns its number.
func (w *Work) Spawn(_ *string) (int, *drpc.Status) {
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "300"}, &syscall.ProcAttr{})
	if err != nil {
		return 0, drpc.NewStatus(1000, err.Error())
	}
	return pid, nil
}

// Orphan starts a program that loses its parent at once.
func (w *Work) Orphan(_ *string) (int, *drpc.Status) {
	if err := exec.Command("/bin/sh", "-c", "sleep 300 </dev/null >/dev/null 2>&1 &").Run(); err != nil {
		return 0, drpc.NewStatus(1000, err.Error())
	}
	return os.Getpid(), nil
}

// Crash ends the process as a bug does.
func (w *Work) Crash(_ *string) (int, *drpc.Status) {
	os.Exit(9)
	return 0, nil
}

type tcpBox struct {
	BaseSandbox
	slow bool
	mu   sync.Mutex
	eps  []drpc.Endpoint
}

func (b *tcpBox) Name() string { return "TcpBox" }

func (b *tcpBox) Setup() error {
	switch habit("setup") {
	case "fail":
		return errors.New("no database")
	case "wait":
		announce("setup", "")
		for habit("setup") == "wait" && b.Context.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
	case "hang":
		<-b.Context.Done()
	}
	cfgs := map[string]drpc.EndpointConfig{
		"tcp":  {ListenIP: "127.0.0.1", ListenPort: portOf("tcp")},
		"unix": {Network: "unix", ListenIP: "calls.sock"},
	}
	if network := os.Getenv("UDP"); network != "" {
		cfgs = map[string]drpc.EndpointConfig{"udp": {Network: network, ListenIP: "127.0.0.1", ListenPort: portOf("udp")}}
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(cfgs))
	b.mu.Lock()
	b.eps = nil
	for kind, cfg := range cfgs {
		ep, err := drpc.New(cfg)
		if err != nil {
			b.mu.Unlock()
			return err
		}
		if cert := os.Getenv("CERT"); cert != "" {
			if err := ep.SetTLSConfigFromFile(cert, os.Getenv("KEY")); err != nil {
				b.mu.Unlock()
				return err
			}
		}
		ep.RouteCall(new(Work))
		b.eps = append(b.eps, ep)
		wg.Go(func() { errs <- ep.ListenAndServe() })
		go announceWhenUp(b.Context, kind, ep)
	}
	b.mu.Unlock()
	err := <-errs
	wg.Wait()
	return err
}

func (b *tcpBox) Shutdown() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, ep := range b.eps {
		errs = append(errs, ep.Close())
	}
	return errors.Join(errs...)
}

// portOf is the port that the test has chosen, or 0.
func portOf(kind string) uint16 {
	n, _ := strconv.ParseUint(os.Getenv("PORT_"+kind), 10, 16)
	return uint16(n)
}

func announceWhenUp(ctx context.Context, kind string, ep drpc.Endpoint) {
	for ctx.Err() == nil {
		if addrs := ep.Addrs(); len(addrs) > 0 {
			announce(kind, addrs[0].String())
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

type webBox struct {
	BaseSandbox
	srv atomic.Pointer[websocket.Server]
}

func (b *webBox) Name() string { return "WebBox" }

func (b *webBox) Setup() error {
	srv := websocket.NewServer("/ws", drpc.EndpointConfig{ListenIP: "127.0.0.1", ListenPort: portOf("web")})
	srv.RouteCall(new(Work))
	b.srv.Store(srv)
	go func() {
		for b.Context.Err() == nil {
			if addrs := srv.Addrs(); len(addrs) > 0 {
				announce("web", addrs[0].String())
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	}()
	return srv.ListenAndServeJSON()
}

func (b *webBox) Shutdown() error { return b.srv.Load().Close() }

// httpBox is a server of GoFrame. That it leaves without losing a request is up to it: see the page about graceful.
type httpBox struct {
	BaseSandbox
	drain graceful.HTTPDrain
	srv   *ghttp.Server
}

func (b *httpBox) Name() string { return "HTTPBox" }

func (b *httpBox) Setup() error {
	address := "127.0.0.1:" + strconv.Itoa(int(portOf("http")))
	ln, err := Listen("tcp", address)
	if err != nil {
		return err
	}
	b.srv = g.Server("test")
	b.srv.SetDumpRouterMap(false)
	b.srv.Use(func(r *ghttp.Request) {
		if b.drain.Leaving() {
			r.Response.Header().Set("Connection", "close")
			r.Response.Header().Set("Leaving", "yes")
		}
		r.Middleware.Next()
	})
	b.srv.BindHandler("/do", func(r *ghttp.Request) {
		executed.note(r.Get("id").String())
		for habit("http") == r.Get("id").String() {
			time.Sleep(5 * time.Millisecond)
		}
		r.Response.Write(strconv.Itoa(os.Getpid()))
	})
	if err := b.srv.SetListener(b.drain.Listener(ln)); err != nil {
		return err
	}
	if err := b.srv.Start(); err != nil {
		return err
	}
	announce("http", ln.Addr().String())
	return nil
}

func (b *httpBox) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := b.drain.Wait(ctx)
	if stop := b.srv.Shutdown(); stop != nil && !errors.Is(stop, http.ErrServerClosed) {
		logger.Warningf(ctx, "http: %v", stop)
	}
	return err
}

// netHTTPBox is a server of net/http, as httpBox is one of GoFrame.
type netHTTPBox struct {
	BaseSandbox
	drain graceful.HTTPDrain
	srv   *http.Server
}

func (b *netHTTPBox) Name() string { return "NetHTTPBox" }

func (b *netHTTPBox) Setup() error {
	ln, err := Listen("tcp", "127.0.0.1:"+strconv.Itoa(int(portOf("nethttp"))))
	if err != nil {
		return err
	}
	b.srv = &http.Server{
		ReadHeaderTimeout: callPatience,
		Handler: b.drain.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			executed.note(r.FormValue("id"))
			for habit("http") == r.FormValue("id") {
				time.Sleep(5 * time.Millisecond)
			}
			_, _ = io.WriteString(w, strconv.Itoa(os.Getpid()))
		})),
	}
	announce("nethttp", ln.Addr().String())
	return b.srv.Serve(b.drain.Listener(ln))
}

func (b *netHTTPBox) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(b.drain.Wait(ctx), b.srv.Shutdown(ctx))
}

// newNetEnv makes a place for a netApp.
func newNetEnv(t *testing.T, traits string) *testEnv {
	e := newEnv(t, "")
	if traits == "" {
		traits = "plain"
	}
	e.extra = []string{envNet + "=" + traits}
	return e
}

// sets has the next process do something: see habit.
func (e *testEnv) sets(name, what string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, "habit."+name), []byte(what), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// addr waits for an address that the application has announced.
func (e *testEnv) addr(kind string) (addr string) {
	e.t.Helper()
	polltest.Until(e.t, "the address of "+kind, func() bool {
		text, err := os.ReadFile(filepath.Join(e.dir, "addr."+kind))
		addr = string(text)
		return err == nil
	})
	if kind == "unix" && !filepath.IsAbs(addr) {
		return filepath.Join(e.dir, addr)
	}
	return addr
}
