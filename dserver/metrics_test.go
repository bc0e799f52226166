//go:build !windows

package dserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/metrics/prometheus"
)

// figuresBox serves calls that are counted on the page at the port that PAGE says.
type figuresBox struct {
	BaseSandbox
	kind string
	mu   sync.Mutex
	stop func() error
}

func (b *figuresBox) Name() string { return b.kind + "Box" }

func (b *figuresBox) Setup() error {
	port, err := strconv.Atoi(os.Getenv("PAGE"))
	if err != nil {
		return err
	}
	m := prometheus.NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(port), metrics.OptServiceName("app"))
	ep, err := drpc.New(drpc.EndpointConfig{ListenIP: "127.0.0.1", ListenPort: portOf(b.kind)}, m.Options().Plugins...)
	if err != nil {
		return err
	}
	ep.RouteCall(new(Work))
	m.Start()
	b.mu.Lock()
	b.stop = func() error {
		defer m.Shutdown()
		return ep.Close()
	}
	b.mu.Unlock()
	return ep.ListenAndServe()
}

func (b *figuresBox) Shutdown() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stop()
}

// figuresEnv is a place for an application with two boxes that count.
type figuresEnv struct {
	*testEnv
	page  string
	peers map[string]string
}

func newFiguresEnv(t *testing.T, traits string) *figuresEnv {
	e := &figuresEnv{testEnv: newNetEnv(t, "tcponly,"+traits), peers: map[string]string{}}
	port := porttest.Free(t)
	e.page = fmt.Sprintf("http://127.0.0.1:%d/metrics", port)
	inherit := []string{}
	e.extra = append(e.extra, fmt.Sprintf("PAGE=%d", port))
	for _, kind := range []string{"count", "tally", "tcp"} {
		port := porttest.Free(t)
		e.peers[kind] = fmt.Sprintf("127.0.0.1:%d", port)
		e.extra = append(e.extra, fmt.Sprintf("PORT_%s=%d", kind, port))
		inherit = append(inherit, fmt.Sprintf("tcp 127.0.0.1 %d", port))
	}
	e.extra = append(e.extra, "INHERIT="+strings.Join(append(inherit, "unix "+filepath.Join(e.dir, "calls.sock")), ","))
	e.cleanUp()
	return e
}

// look asks for the page.
func (e *figuresEnv) look() (string, error) {
	client := http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(e.page)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

// figure returns the value of a series on the page, 0 if it is not there.
func (e *figuresEnv) figure(series string) float64 {
	e.t.Helper()
	text, err := e.look()
	if err != nil {
		e.t.Fatal(err)
	}
	return figureIn(text, series)
}

// figureIn is figure of a page that was read.
func figureIn(text, series string) float64 {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64) // what is no number fails as 0
	return n
}

const (
	callsSeries    = `rpc_server_reply_code_total{code="0",name="app",path="/work/do"}`
	sessionsSeries = `rpc_sessions{name="app"}`
)

// waitPage waits until the page is there.
func (e *figuresEnv) waitPage() {
	e.t.Helper()
	polltest.Until(e.t, "the page", func() bool { _, err := e.look(); return err == nil })
}

// waitCalls waits until so many calls are on the page, and fails if there are ever fewer than before.
func (e *figuresEnv) waitCalls(before, want float64) {
	e.t.Helper()
	polltest.Until(e.t, fmt.Sprintf("%v calls on the page", want), func() bool {
		n := e.figure(callsSeries)
		if n < before || n > want {
			e.t.Fatalf("%v calls on the page, after %v and with %v made", n, before, want)
		}
		before = n
		return n == want
	})
}

// callOnce makes calls over a connection of its own.
func (e *figuresEnv) callOnce(kind string, times int) (pid int) {
	e.t.Helper()
	c := dialApp(e.t, "tcp", e.peers[kind])
	for range times {
		var stat *drpc.Status
		if pid, stat = c.do("/work/do", "x"); !stat.OK() {
			e.t.Fatal(stat)
		}
	}
	if err := c.ep.Close(); err != nil {
		e.t.Fatal(err)
	}
	return pid
}

func TestMasterShowsTheSumOfItsWorkers(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "multi")
	p := e.serve()
	e.waitPage()
	first := e.callOnce("count", 5)
	if other := e.callOnce("tally", 3); other == first || other == p.Process.Pid || first == p.Process.Pid {
		t.Fatalf("the calls were executed by %d and %d, the master is %d", first, other, p.Process.Pid)
	}
	e.waitCalls(0, 8)
	hold, lost := dialApp(t, "tcp", e.peers["tally"]), dialApp(t, "tcp", e.peers["count"])
	polltest.Until(t, "the sessions", func() bool { return e.figure(sessionsSeries) == 2 })

	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = lost.ep.Close()
	e.waitCalls(8, 8)
	polltest.Until(t, "another worker", func() bool { pid := e.workers()["countBox"]; return pid != 0 && pid != first })
	e.waitCalls(8, 8)
	e.callOnce("count", 2)
	e.waitCalls(8, 10)
	polltest.Until(t, "the gauges of the dead worker to go", func() bool { return e.figure(sessionsSeries) == 1 })
	_ = hold.ep.Close()

	// Nobody looks between the calls and the end of the workers that executed them.
	e.callOnce("tally", 4)
	e.callOnce("count", 4)
	before := e.workers()
	e.run("reload").want(t, codeOK)
	e.waitCalls(10, 18)
	polltest.Until(t, "the old workers to leave", func() bool { return !alive(before["countBox"]) && !alive(before["tallyBox"]) })
	e.waitCalls(18, 18)
	e.callOnce("tally", 1)
	e.waitCalls(18, 19)

	e.callOnce("tally", 1)
	e.run("ctl", "stop", "tally").want(t, codeOK)
	e.waitCalls(19, 20)
	e.run("ctl", "start", "tally").want(t, codeOK)
	e.callOnce("tally", 1)
	e.waitCalls(20, 21)

	e.run("stop").want(t, codeOK)
	if code := p.wait(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, p.out.String())
	}
	if _, err := e.look(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the page after stop: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(e.runDir(), "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFrozenWorkerCountsWithItsLastFigures(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "multi,hasty")
	e.serve()
	e.waitPage()
	frozen := e.callOnce("count", 5)
	e.waitCalls(0, 5)
	if err := syscall.Kill(frozen, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(frozen, syscall.SIGCONT) }()
	e.callOnce("tally", 2)
	e.waitCalls(5, 7)
	if err := syscall.Kill(frozen, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	e.callOnce("count", 1)
	e.waitCalls(7, 8)
	e.run("stop").want(t, codeOK)
}

func TestMasterShowsTheSumWithoutCtl(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "multi,noctl")
	p := e.serve()
	e.waitPage()
	worker := e.callOnce("count", 2)
	e.callOnce("tally", 2)
	e.waitCalls(0, 4)
	c, err := dialCtl(workerSocket(e.runDir(), worker), polltest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if stat := c.call(t.Context(), methodStop, "countBox", nil); stat.Code() != drpc.CodeNotFound {
		t.Errorf("a worker without ctl is told to stop a sandbox: %v", stat)
	}
	e.run("stop").want(t, codeOK)
	p.wait()
	if strings.Contains(p.out.String(), "moved to a new connection") {
		t.Error("the sockets of the workers are drained, which nobody but the master has")
	}
}

func TestPageOfASingleProcessIsThereThroughAReload(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "plain")
	e.serve()
	e.waitPage()
	e.callOnce("count", 2)
	e.callOnce("tally", 2)
	e.waitCalls(0, 4)
	old := e.generation()
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := e.look(); err != nil {
				t.Errorf("during the reload: %v", err)
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	e.run("reload").want(t, codeOK)
	polltest.Until(t, "the old process to leave", func() bool { return !alive(old) })
	close(over)
	wg.Wait()
	e.callOnce("count", 1)
	e.waitCalls(0, 1) // another process, which begins anew
	e.run("stop").want(t, codeOK)
}

func TestPackedFiguresAreBounded(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(callsSeries+" 1\n", 1000)
	packed, err := pack([]byte(text))
	if err != nil || len(packed) > len(text)/10 {
		t.Fatalf("%d bytes of %d, %v", len(packed), len(text), err)
	}
	if back, err := unpack(packed); err != nil || string(back) != text {
		t.Errorf("%d bytes are back, %v", len(back), err)
	}
	if _, err := pack(make([]byte, maxUnpacked+1)); !errors.Is(err, errTooLarge) {
		t.Errorf("too much to pack: %v", err)
	}
	if bomb, err := pack(make([]byte, maxUnpacked)); err != nil {
		t.Error(err)
	} else if _, err = unpack(append(bomb, bomb...)); !errors.Is(err, errTooLarge) {
		t.Errorf("too much to unpack: %v", err)
	}
	noise := make([]byte, 2*maxPacked)
	for i, n := 0, uint64(1); i < len(noise); i++ {
		n = n*6364136223846793005 + 1442695040888963407
		noise[i] = byte(n >> 56)
	}
	if _, err := pack(noise); !errors.Is(err, errTooLarge) {
		t.Errorf("what does not shrink: %v", err)
	}
}

func TestLastFiguresAreReadOnce(t *testing.T) {
	t.Parallel()
	path := lastFigures(t.TempDir(), 7)
	if last, err := readLast(path); last != nil || err != nil {
		t.Errorf("none: %v, %v", last, err)
	}
	writeFile(t, path, `[{"page":{"address":"127.0.0.1:1","path":"/m"},"packed":"AAEC"}]`)
	last, err := readLast(path)
	if err != nil || len(last) != 1 || last[0].Page.Path != "/m" || len(last[0].Packed) != 3 {
		t.Errorf("%v, %v", last, err)
	}
	if last, err := readLast(path); last != nil || err != nil {
		t.Errorf("a second time: %v, %v", last, err)
	}
	writeFile(t, path, `[{"page":`)
	if _, err := readLast(path); err == nil {
		t.Error("half a file is no error")
	}
}

func FuzzUnpackFigures(f *testing.F) {
	packed, err := pack([]byte(callsSeries + " 1\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add(packed[:len(packed)/2])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, packed []byte) {
		if text, err := unpack(packed); err == nil && len(text) > maxUnpacked {
			t.Errorf("%d bytes", len(text))
		}
	})
}

// pageOf returns pages of a worker that nobody has published to.
func pageOf(t *testing.T) *workerPages {
	s := newServer()
	t.Cleanup(s.cancel)
	s.orphaned = make(chan struct{})
	return &workerPages{server: s, dir: t.TempDir(), door: func() error { return nil }}
}

func TestWorkerKeepsItsPages(t *testing.T) {
	t.Parallel()
	p := pageOf(t)
	n := 0
	page := metrics.Page{Format: "f", Address: "127.0.0.1:1", Path: "/m", Snapshot: func(context.Context) ([]byte, error) {
		n++
		return []byte(strconv.Itoa(n)), nil
	}}
	shown, err := p.publish(page)
	if err != nil || shown.Addr() != net.Addr(nil) {
		t.Fatalf("%v, %v", shown, err)
	}
	if _, err := p.publish(page); !errors.Is(err, metrics.ErrPathTaken) {
		t.Errorf("a second time: %v", err)
	}
	for range 2 {
		if err := shown.Close(); err != nil {
			t.Error(err)
		}
	}
	p.leave()
	last, err := readLast(lastFigures(p.dir, os.Getpid()))
	if err != nil || len(last) != 1 || last[0].Page.Open {
		t.Fatalf("%v, %v", last, err)
	}
	if text, err := unpack(last[0].Packed); err != nil || string(text) != "1" {
		t.Errorf("the last figures are %q, %v", text, err)
	}
	if _, err := p.publish(page); err != nil {
		t.Errorf("again: %v", err)
	}
	for i := 2; i <= maxPages; i++ {
		page.Path = "/" + strconv.Itoa(i)
		if _, err := p.publish(page); err != nil {
			t.Fatal(err)
		}
	}
	page.Path = "/more"
	if _, err := p.publish(page); err == nil {
		t.Error("there is no limit")
	}
	page.Path = "/" + strings.Repeat("x", maxPageKey)
	if _, err := p.publish(page); err == nil {
		t.Error("a long path is taken")
	}
}

func TestSnapshotThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	p := pageOf(t)
	free := make(chan struct{})
	shown, err := p.publish(metrics.Page{Address: "127.0.0.1:1", Path: "/m", Snapshot: func(context.Context) ([]byte, error) {
		<-free
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := p.find(ctlPageKey{"127.0.0.1:1", "/m"})
	for range 3 {
		if _, err := w.take(time.Millisecond); err == nil {
			t.Error("there are figures")
		}
	}
	if err := shown.Close(); err == nil {
		t.Error("there were last figures")
	}
	close(free)
	polltest.Until(t, "the snapshot to end", func() bool { return len(w.turn) == 0 })
}

func TestPageFollowsWhatWorkersHave(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "multi")
	e.serve()
	e.waitPage()
	e.callOnce("count", 3)
	e.callOnce("tally", 1)
	e.waitCalls(0, 4)
	e.run("ctl", "stop", "count").want(t, codeOK)
	e.waitCalls(4, 4)
	e.run("ctl", "stop", "tally").want(t, codeOK)
	polltest.Until(t, "the page to be taken down", func() bool { _, err := e.look(); return errors.Is(err, syscall.ECONNREFUSED) })
	e.run("ctl", "start", "tally").want(t, codeOK)
	e.waitPage()
	e.waitCalls(4, 4)
	e.run("stop").want(t, codeOK)
}

func TestMasterThatFollowsAKilledOneShowsThePage(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "multi")
	p := e.serve()
	e.waitPage()
	p.signal(syscall.SIGKILL)
	p.wait()
	e.serve()
	e.waitPage()
	e.callOnce("count", 1)
	e.waitCalls(0, 1)
	e.run("stop").want(t, codeOK)
}

func TestSumNeverGoesBackWhateverHappensToWorkers(t *testing.T) {
	t.Parallel()
	e := newFiguresEnv(t, "multi")
	writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nStartRetries = 100\n")
	e.serve()
	e.waitPage()
	over := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for before := 0.0; ; {
				text, err := e.look()
				n := figureIn(text, callsSeries)
				if err != nil || n < before {
					t.Errorf("%v calls on the page, %v before; %v", n, before, err)
				}
				before = n
				select {
				case <-over:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	c := dialApp(t, "tcp", e.peers["count"])
	for round := range 6 {
		var pid int
		polltest.Until(t, "a worker to answer", func() bool {
			got, stat := c.do("/work/do", "x")
			pid = got
			return stat.OK()
		})
		switch round % 3 {
		case 0:
			_ = syscall.Kill(pid, syscall.SIGKILL)
		case 1:
			e.run("reload", "count").want(t, codeOK)
		case 2:
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		polltest.Until(t, "the worker to end", func() bool { return !alive(pid) })
	}
	close(over)
	wg.Wait()
	e.run("stop").want(t, codeOK)
}
