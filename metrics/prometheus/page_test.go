package prometheus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
	"github.com/osgochina/dmicro/metrics"
)

// optQuiet are options without a page.
var optQuiet = []metrics.Option{metrics.OptPort(-1)}

// get asks for a page, over a connection of its own.
func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(body)
}

func TestPageShowsMetricsRuntimeAndProcess(t *testing.T) {
	t.Parallel()
	m := NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(0), metrics.OptPath("figures"),
		metrics.OptServiceName("calculator"))
	m.Start()
	defer m.Shutdown()
	srv, cli := recorded(t, m), recorded(t, nil)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	if stat := connect(t, cli, srv).Call("/ok", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	own := prom.NewCounter(prom.CounterOpts{Name: "orders_total", Help: "Orders."})
	m.Registerer().MustRegister(own)
	own.Add(5)
	text := get(t, "http://"+m.Addr().String()+"/figures")
	for _, want := range []string{
		`rpc_server_reply_code_total{code="0",name="calculator",path="/ok"} 1`,
		`rpc_server_reply_duration_ms_bucket{name="calculator",path="/ok",le="1000"} 1`,
		`rpc_sessions{name="calculator"} 1`,
		"\ngo_goroutines ",
		"\norders_total 5",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// TestNamesAndLabelsAreTheDocumentedOnes holds the names, types and labels against the file that dashboards and
// documents are held against.
func TestNamesAndLabelsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	var got []string
	for name, family := range allFamilies(t) {
		if !strings.HasPrefix(name, "rpc_") {
			continue
		}
		var labels []string
		for _, l := range family.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		got = append(got, name+" "+strings.ToLower(family.GetType().String())+" "+strings.Join(labels, ","))
	}
	slices.Sort(got)
	want, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(got, "\n") + "\n"; text != string(want) {
		t.Errorf("the names are\n%s\nwant\n%s", text, want)
	}
}

func TestMetricsWithTheSamePageAreAddedUpOnIt(t *testing.T) {
	t.Parallel()
	local := metrics.OptHost("127.0.0.1")
	port := metrics.OptPort(int(porttest.Free(t)))
	first := NewPromMetrics(local, port, metrics.OptServiceName("svc"))
	if err := first.StartPage(); err != nil {
		t.Fatal(err)
	}
	second := NewPromMetrics(local, port, metrics.OptServiceName("svc"))
	if err := second.StartPage(); err != nil {
		t.Fatal(err)
	}
	srv, cli := recorded(t, first), recorded(t, second)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	if stat := connect(t, cli, srv).Call("/ok", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	url := "http://" + first.Addr().String() + "/metrics"
	for _, want := range []string{
		`rpc_server_reply_code_total{code="0",name="svc",path="/ok"} 1`,
		`rpc_server_call_code_total{code="0",name="svc",path="/ok"} 1`,
		`rpc_sessions{name="svc"} 2`,
	} {
		if text := get(t, url); !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	first.Shutdown()
	if text := get(t, url); !strings.Contains(text, `rpc_sessions{name="svc"} 1`) {
		t.Error("the second one is not shown alone")
	}
	second.Shutdown()
	if _, err := http.Get(url); err == nil {
		t.Error("the page is still there")
	}
}

func TestPageIsShownOnceItsAddressIsFree(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", porttest.Free(t))) // nobody else gets it meanwhile
	if err != nil {
		t.Fatal(err)
	}
	m := NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(ln.Addr().(*net.TCPAddr).Port))
	if err := m.StartPage(); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("taken: %v", err)
	}
	if m.Enabled() {
		t.Error("recording without a page that was asked for")
	}
	m.Start()
	defer m.Shutdown()
	if !m.Enabled() || m.Addr() != nil {
		t.Errorf("enabled %v, shown at %v", m.Enabled(), m.Addr())
	}
	_ = ln.Close()
	polltest.Until(t, "the page is shown", func() bool { return m.Addr() != nil })
	get(t, "http://"+m.Addr().String()+"/metrics")
}

func TestShutdownEndsTheAttemptsToShowThePage(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	m := NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(ln.Addr().(*net.TCPAddr).Port))
	m.Start()
	m.Shutdown() // the leak check of the package tells if it goes on
	if m.Enabled() || m.retried != nil {
		t.Error("still trying")
	}
}

// TestHelpTextsEnd keeps the style of the help texts.
func TestHelpTextsEnd(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`^[A-Z].*\.$`)
	for _, m := range messageMetrics {
		for _, text := range []string{m.codes.help, m.durations.help} {
			if !sentence.MatchString(text) {
				t.Errorf("%q is no sentence", text)
			}
		}
	}
	for _, m := range endpointMetrics {
		if !sentence.MatchString(m.help) {
			t.Errorf("%q is no sentence", m.help)
		}
	}
}

func TestWhatWasCountedStaysOnThePage(t *testing.T) {
	t.Parallel()
	stay := NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(0), metrics.OptServiceName("svc"))
	if err := stay.StartPage(); err != nil {
		t.Fatal(err)
	}
	addr := stay.Addr().(*net.TCPAddr)
	serveOnce := func(m *PromMetrics) {
		t.Helper()
		if err := m.StartPage(); err != nil {
			t.Fatal(err)
		}
		srv, cli := recorded(t, m), recorded(t, nil)
		drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
		if stat := connect(t, cli, srv).Call("/ok", "", nil).Status(); stat != nil {
			t.Fatal(stat)
		}
		m.Shutdown()
	}
	newOne := func() *PromMetrics {
		return NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(addr.Port), metrics.OptServiceName("svc"))
	}
	wantTotal := func(n int) {
		t.Helper()
		text := get(t, "http://"+addr.String()+"/metrics")
		if want := fmt.Sprintf(`rpc_server_reply_code_total{code="0",name="svc",path="/ok"} %d`+"\n", n); !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	again := newOne()
	for n := 1; n <= 2; n++ {
		serveOnce(again) // counts on
		wantTotal(n)
	}
	for range maxFormer + 2 {
		serveOnce(newOne())
	}
	wantTotal(maxFormer + 4)
	text := get(t, "http://"+addr.String()+"/metrics")
	if strings.Count(text, "\ngo_goroutines ") != 1 {
		t.Errorf("the runtime is not there once:\n%s", text)
	}
	stay.Shutdown()
}

// Metrics that come back to a page hold their own lock while they wait for that of the page. Whoever leaves the page
// meanwhile must not wait for them.
func TestAPartThatComesBackDoesNotHoldUpOneThatLeaves(t *testing.T) {
	t.Parallel()
	stay := NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(0))
	if err := stay.StartPage(); err != nil {
		t.Fatal(err)
	}
	defer stay.Shutdown()
	port := metrics.OptPort(stay.Addr().(*net.TCPAddr).Port)
	var parts []*PromMetrics
	for range maxFormer + 1 {
		m := NewPromMetrics(metrics.OptHost("127.0.0.1"), port)
		if err := m.StartPage(); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, m)
	}
	last := parts[maxFormer]
	for _, m := range parts[:maxFormer] {
		m.Shutdown()
	}
	parts[0].mu.Lock() // as Start does
	left := make(chan struct{})
	go func() {
		defer close(left)
		last.Shutdown() // one too many are former now: what the first has counted is put away
	}()
	polltest.Receive(t, "the last one has left", left)
	parts[0].mu.Unlock()
	if err := parts[0].StartPage(); err != nil {
		t.Error(err)
	}
	parts[0].Shutdown()
}
