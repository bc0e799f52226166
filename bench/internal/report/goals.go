package report

import (
	"fmt"
	"io"

	"github.com/osgochina/dmicro/bench/internal/contest"
	"github.com/osgochina/dmicro/bench/peers"
)

// goal is what the core is held to in some cells.
type goal struct {
	letters string
	bodies  []int
	// best and floor are the least ratios to the best peer and to the floor.
	best, floor float64
	// p99 says that the 99th percentile has to be lower than that of every peer.
	p99 bool
}

var goals = []goal{
	{letters: "a", bodies: []int{128, 1 << 10}, best: 1.2, floor: 0.9},
	{letters: "b", bodies: []int{128, 1 << 10}, best: 3, floor: 0.5, p99: true},
	{letters: "b", bodies: []int{64 << 10}, best: 1.3, floor: 0.6, p99: true},
	{letters: "c", bodies: []int{128, 1 << 10}, best: 3, floor: 0.4, p99: true},
	{letters: "c", bodies: []int{64 << 10}, best: 1.3, floor: 0.6, p99: true},
	{letters: "d", bodies: []int{1 << 10}, best: 3, floor: 0.3},
}

// maxClientAllocs and maxServerAllocs are how many allocations a call may cost. Allocations that others share, such as
// those of the collector, make a fraction of one.
const (
	maxClientAllocs = 3
	maxServerAllocs = 4
	sharedAllocs    = 0.1
)

func goalOf(c contest.Cell) (goal, bool) {
	for _, g := range goals {
		for _, body := range g.bodies {
			if g.letters == c.Letter && body == c.Body {
				return g, true
			}
		}
	}
	return goal{}, false
}

// Goals writes a table of what has to hold of DMicro with its default configuration, and whether it does.
func Goals(w io.Writer, rows []contest.Row) {
	t := &table{head: []string{"cell", "what", "must be", "is", "held"}}
	for _, r := range rows {
		g, ok := goalOf(r.Cell)
		if r.Peer != peers.DMicro || !ok {
			continue
		}
		cell := r.Cell.String()
		atLeast := func(what string, bound, v float64) {
			if v > 0 {
				t.add(cell, what, "at least "+decimal(bound, 1), decimal(v, 2), held(v >= bound))
			}
		}
		atMost := func(what string, bound, v float64) {
			t.add(cell, what, "at most "+decimal(bound, 0), decimal(v, 2), held(v <= bound+sharedAllocs))
		}
		atLeast("calls/s to the best peer", g.best, r.Best)
		atLeast("calls/s to the floor", g.floor, r.Floor)
		if g.p99 && r.BestP99 > 0 {
			t.add(cell, "p99 to the lowest of a peer", "below 1", decimal(r.BestP99, 2), held(r.BestP99 < 1))
		}
		atMost("allocations a call, client", maxClientAllocs, r.Client.Allocs)
		atMost("allocations a call, server", maxServerAllocs, r.Server.Allocs)
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(w, "None of the cells measured has a goal.")
		return
	}
	t.write(w)
}

// fivePlugins is the name of the row whose plugins may cost little, minFivePlugins the least ratio to the plain row.
const (
	fivePlugins    = "plugins-5"
	minFivePlugins = 0.9
)

// FeatureGoals writes a table of what has to hold of features, and whether it does.
func FeatureGoals(w io.Writer, rows []contest.Row) {
	t := &table{head: []string{"cell", "what", "must be", "is", "held"}}
	for _, r := range rows {
		if r.Peer == fivePlugins && r.Base > 0 {
			t.add(r.Cell.String(), "calls/s with five plugins", "above "+decimal(minFivePlugins, 1), decimal(r.Base, 2),
				held(r.Base > minFivePlugins))
		}
	}
	t.write(w)
}

// transportGoals are the least ratios to TCP in setting (b).
var transportGoals = map[string]float64{peers.OverUnix: 1.1, peers.OverWebSocket: 0.5}

// TransportGoals writes a table of what has to hold of transports, and whether it does.
func TransportGoals(w io.Writer, rows []contest.Row) {
	t := &table{head: []string{"cell", "what", "must be", "is", "held"}}
	for _, r := range rows {
		if least := transportGoals[r.Peer]; least > 0 && r.Cell.Letter == "b" && r.Base > 0 {
			t.add(r.Cell.String(), "calls/s over "+r.Peer+" to those over "+peers.OverTCP, "at least "+decimal(least, 1),
				decimal(r.Base, 2), held(r.Base >= least))
		}
	}
	t.write(w)
}

func held(ok bool) string {
	if ok {
		return "yes"
	}
	return "**no**"
}
