package contest

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/bench/internal/load"
	"github.com/osgochina/dmicro/bench/internal/usage"
	"github.com/osgochina/dmicro/bench/peers"
)

// TestMain makes the test binary the program of servers and clients, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "server" || os.Args[1] == "client") {
		if err := Child(os.Args[1:], os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // libraries start some when they are loaded
}

func TestAContestInProcessesOfItsOwn(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := peers.Select(peers.Frameworks(), "ours,floor-seq")
	if err != nil {
		t.Fatal(err)
	}
	profiles := t.TempDir()
	var order []string
	plan := Plan{
		Cells: []Cell{{"a", load.Shape{Conns: 1, Callers: 2, Body: 100}}}, Peers: chosen,
		Rounds: 2, Warmup: time.Millisecond, Duration: 20 * time.Millisecond,
		Program: program, Stderr: t.Output(), Profiles: profiles,
		Progress: func(r Run, _ time.Duration) { order = append(order, r.Peer) },
	}
	runs, err := plan.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 4 || order[0] != "ours" || order[2] != "floor-seq" {
		t.Fatalf("%d runs in the order %v", len(runs), order)
	}
	for _, r := range runs {
		if r.Calls == 0 || r.Elapsed < plan.Duration || r.P50 <= 0 || r.P999 < r.P50 || r.Client.Allocs < r.Calls ||
			r.Server.Allocs < r.Calls || r.Server.CPU <= 0 || r.Client.Peak == 0 {
			t.Errorf("unlikely: %+v", r)
		}
	}
	if list, err := filepath.Glob(filepath.Join(profiles, "a-100-*.pprof")); len(list) != 4 {
		t.Errorf("profiles %v, %v", list, err)
	}
}

func TestAFailureNamesItsRow(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{
		Cells: []Cell{{"a", load.Shape{Conns: 1, Callers: 1, Body: 1}}}, Peers: []peers.Peer{{Name: "nobody"}},
		Rounds: 1, Program: program, Stderr: io.Discard,
	}
	if runs, err := plan.Measure(t.Context()); err == nil {
		t.Errorf("got %v", runs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plan.Measure(ctx); err == nil {
		t.Error("measured after the end")
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		letters, bodies string
		want            int // negative for an error
	}{
		{"", "", 10},
		{"d", "", 1},
		{"a,b", "128", 2},
		{"b", "128, 65536", 2},
		{"d", "128", -1},
		{"x", "", -1},
		{"a", "much", -1},
	} {
		cells, err := Cells(c.letters, c.bodies)
		if (err != nil) != (c.want < 0) || err == nil && len(cells) != c.want {
			t.Errorf("Cells(%q, %q) = %v, %v, want %d", c.letters, c.bodies, cells, err, c.want)
		}
	}
	cells, err := Cells("d", "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cells[0].String(), "(d) 10 connections x 1000 callers, 1 KiB"; got != want {
		t.Errorf("a cell is called %q, want %q", got, want)
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	t.Parallel()
	all := []peers.Peer{
		{Name: "ours"}, {Name: "x", Kind: peers.Rival}, {Name: "y", Kind: peers.Rival}, {Name: peers.MuxFloor, Kind: peers.Floor},
	}
	cell := Cell{"b", load.Shape{Conns: 1, Callers: 1, Body: 1}}
	run := func(round int, peer string, calls uint64, p99 time.Duration) Run {
		return Run{Cell: cell, Round: round, Peer: peer, Calls: calls, Elapsed: time.Second, P99: p99,
			Client: usage.Usage{CPU: time.Duration(10 * calls), Allocs: 3 * calls, Bytes: 5 * calls, Peak: 100}}
	}
	// The machine is half as fast in the second round, and the best peer is another one in each.
	rows := Summary([]Cell{cell}, all, []Run{
		run(0, "ours", 400, 10), run(0, "x", 100, 40), run(0, "y", 50, 20), run(0, peers.MuxFloor, 800, 5),
		run(1, "ours", 200, 20), run(1, "x", 25, 100), run(1, "y", 50, 80), run(1, peers.MuxFloor, 400, 10),
		run(2, "ours", 300, 10), run(2, "x", 150, 40), run(2, "y", 50, 20), run(2, peers.MuxFloor, 400, 5),
	})
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"calls/s", rows[0].PerSecond, 300},
		{"to the best peer", rows[0].Best, 4},
		{"to the floor", rows[0].Floor, 0.5},
		{"p99 to the lowest", rows[0].BestP99, 0.5},
		{"the floor to the best peer", rows[3].Best, 8},
		{"a peer to the first row", rows[1].Base, 0.25},
		{"CPU a call", rows[0].Client.CPU, 10},
		{"allocations a call", rows[0].Client.Allocs, 3},
		{"bytes a call", rows[0].Client.Bytes, 5},
		{"peak", rows[0].Client.Peak, 100},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	alone := Summary([]Cell{cell}, all[:1], []Run{run(0, "ours", 400, 10)})
	if alone[0].Best != 0 || alone[0].Floor != 0 || alone[0].BestP99 != 0 {
		t.Errorf("compared with nobody: %+v", alone[0])
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := Median(c.values); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}
