package contest

import (
	"slices"

	"github.com/osgochina/dmicro/bench/peers"
)

// Row is the medians of what one peer gave in one cell. Times are in nanoseconds, figures of the processes are a call.
type Row struct {
	Cell Cell   `json:"cell"`
	Peer string `json:"peer"`
	// PerSecond is calls a second.
	PerSecond float64 `json:"per_second"`
	// Best, Floor and Base are the calls a second against those of the best rival, of the mux floor and of the first
	// row, in the same round; 0 where the round had none.
	Best  float64 `json:"best,omitempty"`
	Floor float64 `json:"floor,omitempty"`
	Base  float64 `json:"base,omitempty"`
	// BestP99 is the 99th percentile against the lowest of a rival in the same round.
	BestP99 float64 `json:"best_p99,omitempty"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	P999    float64 `json:"p999"`
	Client  Costs   `json:"client"`
	Server  Costs   `json:"server"`
}

// Costs is what one side used for a call, but Peak, which is the most memory that the process had.
type Costs struct {
	CPU    float64 `json:"cpu"`
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"bytes"`
	Peak   float64 `json:"peak"`
}

// Summary has a row for each peer in each cell, in the order of the plan.
func Summary(cells []Cell, all []peers.Peer, runs []Run) []Row {
	var rows []Row
	for _, cell := range cells {
		rounds := roundsOf(cell, all, runs)
		for i, p := range all {
			if row, ok := rowOf(cell, i, p, rounds); ok {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// round is the runs of one cell in one round, in the order of the peers; nil where one is missing.
type round struct {
	runs []*Run
	// best is the most calls a second of a rival, lowest the lowest p99 of one, floor the calls a second of the mux floor.
	best, lowest, floor float64
}

func roundsOf(cell Cell, all []peers.Peer, runs []Run) []*round {
	var rounds []*round
	for n := range runs {
		r := &runs[n]
		if r.Cell != cell {
			continue
		}
		for len(rounds) <= r.Round {
			rounds = append(rounds, &round{runs: make([]*Run, len(all))})
		}
		at := slices.IndexFunc(all, func(p peers.Peer) bool { return p.Name == r.Peer })
		if at < 0 {
			continue
		}
		rounds[r.Round].add(at, all[at], r)
	}
	return rounds
}

func (rd *round) add(at int, p peers.Peer, r *Run) {
	rd.runs[at] = r
	switch {
	case p.Kind == peers.Rival:
		rd.best = max(rd.best, r.PerSecond())
		if p99 := float64(r.P99); rd.lowest == 0 || p99 < rd.lowest {
			rd.lowest = p99
		}
	case p.Name == peers.MuxFloor:
		rd.floor = r.PerSecond()
	}
}

// figure is one number of a run within its round; those that are missing are negative.
type figure func(r *Run, rd *round) float64

func rowOf(cell Cell, at int, p peers.Peer, rounds []*round) (Row, bool) {
	row := Row{Cell: cell, Peer: p.Name}
	var found bool
	for _, f := range []struct {
		into *float64
		of   figure
	}{
		{&row.PerSecond, func(r *Run, _ *round) float64 { return r.PerSecond() }},
		{&row.Best, func(r *Run, rd *round) float64 { return ratio(r.PerSecond(), rd.best) }},
		{&row.Floor, func(r *Run, rd *round) float64 { return ratio(r.PerSecond(), rd.floor) }},
		{&row.Base, func(r *Run, rd *round) float64 { return ratio(r.PerSecond(), rd.base()) }},
		{&row.BestP99, func(r *Run, rd *round) float64 { return ratio(float64(r.P99), rd.lowest) }},
		{&row.P50, func(r *Run, _ *round) float64 { return float64(r.P50) }},
		{&row.P99, func(r *Run, _ *round) float64 { return float64(r.P99) }},
		{&row.P999, func(r *Run, _ *round) float64 { return float64(r.P999) }},
		{&row.Client.CPU, func(r *Run, _ *round) float64 { return float64(r.Client.CPU) / float64(r.Calls) }},
		{&row.Client.Allocs, func(r *Run, _ *round) float64 { return float64(r.Client.Allocs) / float64(r.Calls) }},
		{&row.Client.Bytes, func(r *Run, _ *round) float64 { return float64(r.Client.Bytes) / float64(r.Calls) }},
		{&row.Client.Peak, func(r *Run, _ *round) float64 { return float64(r.Client.Peak) }},
		{&row.Server.CPU, func(r *Run, _ *round) float64 { return float64(r.Server.CPU) / float64(r.Calls) }},
		{&row.Server.Allocs, func(r *Run, _ *round) float64 { return float64(r.Server.Allocs) / float64(r.Calls) }},
		{&row.Server.Bytes, func(r *Run, _ *round) float64 { return float64(r.Server.Bytes) / float64(r.Calls) }},
		{&row.Server.Peak, func(r *Run, _ *round) float64 { return float64(r.Server.Peak) }},
	} {
		var values []float64
		for _, rd := range rounds {
			if r := rd.runs[at]; r != nil {
				found = true
				if v := f.of(r, rd); v >= 0 {
					values = append(values, v)
				}
			}
		}
		*f.into = Median(values)
	}
	return row, found
}

// base is the calls a second of the first row.
func (rd *round) base() float64 {
	if rd.runs[0] == nil {
		return 0
	}
	return rd.runs[0].PerSecond()
}

// ratio is a against b, negative if there is no b.
func ratio(a, b float64) float64 {
	if b == 0 {
		return -1
	}
	return a / b
}

// Median returns the middle of the values, the mean of the two middle ones if their number is even, 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
