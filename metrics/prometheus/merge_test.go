package prometheus

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/metrics"
)

const one = `# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{path="/a"} 3
calls_total{path="/b"} 1
# HELP go_info Version.
# TYPE go_info gauge
go_info{version="go1"} 1
# HELP sessions Sessions.
# TYPE sessions gauge
sessions 2
# HELP took_ms Time.
# TYPE took_ms histogram
took_ms_bucket{le="5"} 1
took_ms_bucket{le="10"} 3
took_ms_bucket{le="+Inf"} 4
took_ms_sum 40
took_ms_count 4
# HELP pause Pause.
# TYPE pause summary
pause{quantile="0.5"} 1
pause{quantile="1"} 7
pause_sum 9
pause_count 3
# HELP unknown Unknown.
# TYPE unknown untyped
unknown 1
`

const other = `# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{path="/a"} 10
calls_total{path="/c"} 5
# HELP go_info Version.
# TYPE go_info gauge
go_info{version="go1"} 1
# HELP sessions Sessions.
# TYPE sessions gauge
sessions 5
# HELP took_ms Time.
# TYPE took_ms histogram
took_ms_bucket{le="10"} 2
took_ms_bucket{le="20"} 3
took_ms_bucket{le="+Inf"} 3
took_ms_sum 30
took_ms_count 3
# HELP pause Pause.
# TYPE pause summary
pause{quantile="0.5"} 2
pause{quantile="1"} 3
pause_sum 4
pause_count 2
# HELP unknown Unknown.
# TYPE unknown untyped
unknown 2
`

const bothLive = `# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{path="/a"} 13
calls_total{path="/b"} 1
calls_total{path="/c"} 5
# HELP go_info Version.
# TYPE go_info gauge
go_info{version="go1"} 1
# HELP pause Pause.
# TYPE pause summary
pause{quantile="0.5"} 2
pause{quantile="1"} 7
pause_sum 13
pause_count 5
# HELP sessions Sessions.
# TYPE sessions gauge
sessions 7
# HELP took_ms Time.
# TYPE took_ms histogram
took_ms_bucket{le="5"} 1
took_ms_bucket{le="10"} 5
took_ms_bucket{le="20"} 6
took_ms_bucket{le="+Inf"} 7
took_ms_sum 70
took_ms_count 7
# HELP unknown Unknown.
# TYPE unknown untyped
unknown 3
`

func TestMergeAddsUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		live, gone []string
		want       string
	}{
		"nothing":      {nil, nil, ""},
		"both live":    {[]string{one, other}, nil, bothLive},
		"the other":    {[]string{other, one}, nil, bothLive},
		"one is gone":  {nil, []string{"# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n# TYPE c untyped\nc 1\n"}, "# TYPE a counter\na 1\n"},
		"gone counted": {[]string{"# TYPE a counter\na 1\n"}, []string{"# TYPE a counter\na 2\n# TYPE b gauge\nb 1\n"}, "# TYPE a counter\na 3\n"},
		"time stamps":  {[]string{"# TYPE a counter\na 1 1000\n", "# TYPE a counter\na 1 2000\n"}, nil, "# TYPE a counter\na 2\n"},
	} {
		got, err := Merge(all(c.live), all(c.gone))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
	}
}

func all(texts []string) (list [][]byte) {
	for _, text := range texts {
		list = append(list, []byte(text))
	}
	return list
}

func TestMergeRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	if _, err := Merge(all([]string{"# TYPE a counter\na 1\n", "# TYPE a gauge\na 1\n"}), nil); !errors.Is(err, ErrMismatch) {
		t.Errorf("a counter and a gauge: %v", err)
	}
	if _, err := Merge(all([]string{one, "}{"}), nil); err == nil || !strings.Contains(err.Error(), "process 1") {
		t.Errorf("nonsense: %v", err)
	}
}

func TestMergedSnapshotsAreThoseOfOneProcess(t *testing.T) {
	t.Parallel()
	sum, err := metrics.NewSum(Format)
	if err != nil {
		t.Fatal(err)
	}
	for _, worker := range []string{"one", "two", "three"} {
		m := recording(t)
		srv, cli := recorded(t, m), recorded(t, nil)
		drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
		sess := connect(t, cli, srv)
		for range 5 {
			if stat := sess.Call("/ok", "", nil).Status(); stat != nil {
				t.Fatal(stat)
			}
		}
		snapshot, err := m.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum.Set(worker, snapshot)
	}
	check := func(calls, sessions float64) {
		t.Helper()
		text, err := sum.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := parse(t, text)
		if n := seriesOf(got["rpc_server_reply_code_total"])["code=0 name=svc path=/ok"]; n != calls {
			t.Errorf("%v calls, want %v", n, calls)
		}
		if n := seriesOf(got["rpc_server_reply_duration_ms"])["name=svc path=/ok"]; n != calls {
			t.Errorf("%v durations, want %v", n, calls)
		}
		if n := seriesOf(got["rpc_sessions"])["name=svc"]; n != sessions {
			t.Errorf("%v sessions, want %v", n, sessions)
		}
	}
	check(15, 3)
	if err := sum.Drop("two"); err != nil {
		t.Fatal(err)
	}
	check(15, 2)
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(one), []byte(other))
	f.Add([]byte(""), []byte("a 1\n"))
	f.Add([]byte("# TYPE a histogram\na_bucket{le=\"1\"} 1\n"), []byte("# TYPE a histogram\na_count 1\n"))
	f.Add([]byte("# TYPE a summary\na_sum NaN\n"), []byte("# TYPE a summary\na{quantile=\"NaN\"} 1\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		sum, err := Merge([][]byte{a, b}, [][]byte{b})
		if err != nil {
			return
		}
		again, err := Merge([][]byte{sum}, nil)
		if err != nil {
			t.Fatalf("a sum cannot be read: %v\n%s", err, sum)
		}
		if !bytes.Equal(again, sum) {
			t.Errorf("a sum changes when it is added to nothing:\n%s\n%s", sum, again)
		}
	})
}
