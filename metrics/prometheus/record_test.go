package prometheus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/race"
)

func expectSeries(t *testing.T, m *PromMetrics, name string, want map[string]float64) {
	t.Helper()
	if got := figuresOf(t, m, name); !maps.Equal(got, want) {
		t.Errorf("%s is %v\nwant %v", name, got, want)
	}
}

func TestEveryOutcomeIsCountedWithItsCode(t *testing.T) {
	t.Parallel()
	onServer, onClient := recording(t), recording(t)
	srv, cli := recorded(t, onServer), recorded(t, onClient)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	drpc.HandleCall(srv, "/fail", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		return "", drpc.NewStatus(1001, "no")
	})
	drpc.HandleCall(srv, "/never", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		<-c.Context().Done()
		return "", nil
	})
	drpc.HandlePush(srv, "/note", func(drpc.PushCtx, *string) *drpc.Status { return nil })
	drpc.HandlePush(srv, "/badnote", func(drpc.PushCtx, *string) *drpc.Status { return drpc.NewStatus(7, "no") })
	sess := connect(t, cli, srv)
	for method, n := range map[string]int{"/ok": 3, "/fail": 2, "/none": 4, "/none/either": 1} {
		for range n {
			sess.Call(method, "", nil)
		}
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, errors.New("enough"))
	defer cancel()
	sess.Call("/never", "", nil, drpc.WithContext(ctx))
	for _, method := range []string{"/note", "/badnote", "/nowhere"} {
		if stat := sess.Push(method, ""); stat != nil {
			t.Error(stat)
		}
	}
	expectSeries(t, onClient, "rpc_server_call_code_total", map[string]float64{
		"code=0 name=svc path=/ok": 3, "code=1001 name=svc path=/fail": 2, "code=408 name=svc path=/never": 1,
		"code=404 name=svc path=unknown": 5,
	})
	expectSeries(t, onClient, "rpc_server_call_duration_ms", map[string]float64{
		"name=svc path=/ok": 3, "name=svc path=/fail": 2, "name=svc path=/never": 1, "name=svc path=unknown": 5,
	})
	expectSeries(t, onClient, "rpc_push_sent_code_total", map[string]float64{
		"code=0 name=svc path=/note": 1, "code=0 name=svc path=/badnote": 1, "code=0 name=svc path=/nowhere": 1,
	})
	polltest.Until(t, "the pushes are handled", func() bool {
		return len(figuresOf(t, onServer, "rpc_push_handled_code_total")) == 3
	})
	expectSeries(t, onServer, "rpc_push_handled_code_total", map[string]float64{
		"code=0 name=svc path=/note": 1, "code=7 name=svc path=/badnote": 1, "code=404 name=svc path=unknown": 1,
	})
	replies := figuresOf(t, onServer, "rpc_server_reply_code_total")
	for labels, want := range map[string]float64{
		"code=0 name=svc path=/ok": 3, "code=1001 name=svc path=/fail": 2, "code=404 name=svc path=unknown": 5,
	} {
		if replies[labels] != want {
			t.Errorf("replies %s: %v, want %v", labels, replies[labels], want)
		}
	}
	if n := figuresOf(t, onClient, "rpc_server_reply_code_total"); len(n) != 0 {
		t.Errorf("the client has replied: %v", n)
	}
}

func TestLatencyIsThatOfTheWholeCall(t *testing.T) {
	t.Parallel()
	m := recording(t)
	srv, cli := recorded(t, nil), recorded(t, m)
	const takes = 30 * time.Millisecond
	drpc.HandleCall(srv, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		<-time.After(takes)
		return "", nil
	})
	sess := connect(t, cli, srv)
	if stat := sess.Call("/slow", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	h := families(t, m)["rpc_server_call_duration_ms"].Metric[0].Histogram
	if h.GetSampleSum() < 30 || h.GetSampleCount() != 1 {
		t.Errorf("%d calls took %v ms, want one of at least 30", h.GetSampleCount(), h.GetSampleSum())
	}
	var got []string
	for _, b := range h.Bucket {
		got = append(got, strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64))
		if within := b.GetUpperBound() >= h.GetSampleSum(); (b.GetCumulativeCount() == 1) != within {
			t.Errorf("bucket %v has %d, the call took %v", b.GetUpperBound(), b.GetCumulativeCount(), h.GetSampleSum())
		}
	}
	if text := strings.Join(got, " "); text != "5 10 25 50 100 250 500 1000 +Inf" {
		t.Errorf("the bounds are %s", text)
	}
}

func TestNothingIsRecordedBeforeStartAndAfterShutdown(t *testing.T) {
	t.Parallel()
	m := NewPromMetrics(optQuiet...)
	srv, cli := recorded(t, m), recorded(t, nil)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	sess := connect(t, cli, srv)
	call := func() {
		if stat := sess.Call("/ok", "", nil).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	count := func() float64 { return figuresOf(t, m, "rpc_server_reply_code_total")["code=0 name= path=/ok"] }
	call()
	if m.Enabled() || count() != 0 {
		t.Errorf("before Start: enabled %v, %v calls", m.Enabled(), count())
	}
	m.Start()
	m.Start()
	call()
	if !m.Enabled() || count() != 1 {
		t.Errorf("after Start: enabled %v, %v calls", m.Enabled(), count())
	}
	m.Shutdown()
	m.Shutdown()
	call()
	if m.Enabled() || count() != 1 {
		t.Errorf("after Shutdown: enabled %v, %v calls", m.Enabled(), count())
	}
	m.Start()
	defer m.Shutdown()
	call()
	if count() != 2 {
		t.Errorf("after another Start: %v calls", count())
	}
}

func TestSeriesDoNotGrowWithWhatPeersSend(t *testing.T) {
	t.Parallel()
	peers := 10_000
	if race.Enabled {
		peers = 1000 // the detector makes each cost ten times as much
	}
	onServer, onClient := recording(t), recording(t)
	srv, cli := recorded(t, onServer), recorded(t, onClient)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	round := func(n int) {
		sess := connect(t, cli, srv)
		for _, method := range []string{"/ok", fmt.Sprintf("/unknown/%d", n), fmt.Sprintf("/bad\xff%d", n)} {
			sess.Call(method, "", nil)
		}
		if stat := sess.Push(fmt.Sprintf("/nobody/%d", n), ""); stat != nil {
			t.Error(stat)
		}
		_ = sess.Close()
	}
	round(0)
	polltest.Until(t, "the first push is handled", func() bool {
		return len(figuresOf(t, onServer, "rpc_push_handled_code_total")) == 1
	})
	server, client := countSeries(t, onServer), countSeries(t, onClient)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := worker + 1; n <= peers; n += 4 {
				round(n)
			}
		})
	}
	wg.Wait()
	if now := countSeries(t, onServer); now != server {
		t.Errorf("the server had %d series and has %d", server, now)
	}
	// A client is called by its own program, whose pushes succeed: those are bounded, not constant.
	if now := countSeries(t, onClient); now > client+2*maxPaths {
		t.Errorf("the client had %d series and has %d", client, now)
	}
	replies := figuresOf(t, onServer, "rpc_server_reply_code_total")
	if n := replies["code=404 name=svc path=unknown"]; n != float64(2*(peers+1)) {
		t.Errorf("%v unknown calls, want %d", n, 2*(peers+1))
	}
	if n := figuresOf(t, onServer, "rpc_accepted_total")["name=svc"]; n != float64(peers+1) {
		t.Errorf("%v sessions, want %d", n, peers+1)
	}
}

// countSeries is how many series of endpoints m shows; those of the Go runtime are its own business.
func countSeries(t *testing.T, m *PromMetrics) (n int) {
	t.Helper()
	for name, family := range families(t, m) {
		if strings.HasPrefix(name, "rpc_") {
			n += len(family.Metric)
		}
	}
	return n
}

func TestCodesOfAPathAreBounded(t *testing.T) {
	t.Parallel()
	m := recording(t)
	srv, cli := recorded(t, m), recorded(t, nil)
	drpc.HandleCall(srv, "/code", func(_ drpc.CallCtx, code *int32) (string, *drpc.Status) {
		return "", drpc.NewStatus(*code, "")
	})
	sess := connect(t, cli, srv)
	for code := int32(1); code <= 2*maxCodes; code++ {
		sess.Call("/code", code, nil)
	}
	got := figuresOf(t, m, "rpc_server_reply_code_total")
	if len(got) != maxCodes+1 || got["code=other name=svc path=/code"] != maxCodes {
		t.Errorf("%d codes, other: %v", len(got), got["code=other name=svc path=/code"])
	}
}

func TestHandlersOfManyRoutesAreToldApart(t *testing.T) {
	t.Parallel()
	m := recording(t)
	srv, cli := recorded(t, m), recorded(t, nil)
	const routes = 300
	sess := connect(t, cli, srv)
	var wg sync.WaitGroup
	for i := range routes {
		path := "/r/" + strconv.Itoa(i)
		drpc.HandleCall(srv, path, func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
		wg.Go(func() {
			for range i%3 + 1 {
				sess.Call(path, "", nil)
			}
		})
	}
	wg.Wait()
	got := figuresOf(t, m, "rpc_server_reply_code_total")
	for i := range routes {
		if n := got[fmt.Sprintf("code=0 name=svc path=/r/%d", i)]; n != float64(i%3+1) {
			t.Errorf("route %d: %v calls", i, n)
		}
	}
}

func TestEndpointFiguresOutliveTheEndpoint(t *testing.T) {
	t.Parallel()
	m := recording(t)
	srv, cli := recorded(t, m), recorded(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(srv, "/wait", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(entered)
		<-leave
		return "", nil
	})
	sess := connect(t, cli, srv)
	done := make(chan drpc.CallCmd, 1)
	sess.AsyncCall("/wait", "", nil, done)
	<-entered
	one := func(name string) float64 { return figuresOf(t, m, name)["name=svc"] }
	for name, want := range map[string]float64{"rpc_sessions": 1, "rpc_requests_in_flight": 1, "rpc_accepted_total": 1} {
		if got := one(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	close(leave)
	<-done
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	<-sess.CloseNotify() // its own figures are whole when it has ended
	for name, want := range map[string]float64{
		"rpc_sessions": 0, "rpc_requests_in_flight": 0, "rpc_accepted_total": 1, "rpc_workers": 0,
		"rpc_received_bytes_total": float64(sess.Stats().BytesOut), "rpc_sent_bytes_total": float64(sess.Stats().BytesIn),
	} {
		if got := one(name); got != want {
			t.Errorf("after the end %s is %v, want %v", name, got, want)
		}
	}
	if len(m.figures.endpoints) != 0 {
		t.Error("the closed endpoint is held")
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	m := recording(t)
	srv, cli := recorded(t, m), recorded(t, nil)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	if stat := connect(t, cli, srv).Call("/ok", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	r := &recorder{figures: &m.figures}
	seen := drpc.Observation{Kind: drpc.ObservedOwnCall, ServiceMethod: "/ok", Cost: time.Millisecond}
	failed := seen
	failed.Status = drpc.NewStatus(1001, "no")
	r.Observe(seen)
	r.Observe(failed)
	if n := testing.AllocsPerRun(1000, func() { r.Observe(seen); r.Observe(failed) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := recording(b)
	r := &recorder{figures: &m.figures}
	seen := drpc.Observation{Kind: drpc.ObservedOwnCall, ServiceMethod: "/math/add", Cost: 20 * time.Microsecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Observe(seen)
		}
	})
}

func TestNoFigureOfAnEndpointIsForgotten(t *testing.T) {
	t.Parallel()
	var one drpc.EndpointStats
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		v.Field(i).Set(reflect.ValueOf(1).Convert(v.Field(i).Type()))
	}
	sum := reflect.ValueOf(addStats(one, one))
	for i := range sum.NumField() {
		if sum.Field(i).Convert(reflect.TypeFor[int]()).Int() != 2 {
			t.Errorf("%s is not added up", sum.Type().Field(i).Name)
		}
	}
	shown := 0.0
	for _, m := range endpointMetrics {
		shown += m.value(&one)
	}
	if shown != float64(v.NumField()) {
		t.Errorf("%v of %d figures are shown", shown, v.NumField())
	}
}
