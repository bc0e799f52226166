package contest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/osgochina/dmicro/bench/internal/control"
	"github.com/osgochina/dmicro/bench/internal/usage"
	"github.com/osgochina/dmicro/bench/peers"
)

// Plan is what to measure.
type Plan struct {
	Cells []Cell
	Peers []peers.Peer
	// Rounds is how often each row is measured.
	Rounds int
	// Warmup and Duration are the times that a row calls before it counts, and while it does.
	Warmup, Duration time.Duration
	// Profiles is a directory for CPU profiles of the children; empty is none.
	Profiles string
	// Program is what to start for a child, whose main function hands its arguments to Child.
	Program string
	// Stderr is where children complain.
	Stderr io.Writer
	// Progress is told of each run, and how long the runs still to come will take; it may be nil.
	Progress func(r Run, left time.Duration)
}

// Run is what one row gave in one round. Times are in nanoseconds.
type Run struct {
	Cell  Cell   `json:"cell"`
	Round int    `json:"round"`
	Peer  string `json:"peer"`
	// Calls is how many calls were made within Elapsed.
	Calls   uint64        `json:"calls"`
	Elapsed time.Duration `json:"elapsed"`
	P50     time.Duration `json:"p50"`
	P99     time.Duration `json:"p99"`
	P999    time.Duration `json:"p999"`
	// Client and Server are what the processes used for all the calls.
	Client usage.Usage `json:"client"`
	Server usage.Usage `json:"server"`
}

// PerSecond is how many calls a second were made.
func (r Run) PerSecond() float64 { return float64(r.Calls) / r.Elapsed.Seconds() }

// slack is how much longer than it measures a row may take, for starting, dialling and stopping.
const slack = 30 * time.Second

// Measure runs the plan. Rows of a cell follow each other, and take turns in being first. A row that fails ends it.
func (p Plan) Measure(ctx context.Context) ([]Run, error) {
	var runs []Run
	total := len(p.Cells) * p.Rounds * len(p.Peers)
	start := time.Now()
	for _, cell := range p.Cells {
		for round := range p.Rounds {
			for i := range p.Peers {
				peer := p.Peers[(i+round)%len(p.Peers)]
				r, err := p.row(ctx, cell, peer.Name, round)
				if err != nil {
					return runs, fmt.Errorf("%s, round %d, %s: %w", cell, round+1, peer.Name, err)
				}
				runs = append(runs, r)
				if p.Progress != nil {
					left := time.Since(start) * time.Duration(total-len(runs)) / time.Duration(len(runs))
					p.Progress(r, left)
				}
			}
		}
	}
	return runs, nil
}

func (p Plan) row(ctx context.Context, cell Cell, peer string, round int) (Run, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Warmup+p.Duration+slack)
	defer cancel()
	srv, err := control.Start(ctx, p.Program, p.Stderr, serverArgs(peer, p.profile(cell, peer, "server")))
	if err != nil {
		return Run{}, err
	}
	var addr string
	if err := srv.Await(wordReady, &addr); err != nil {
		return Run{}, errors.Join(fmt.Errorf("server: %w", err), srv.Stop())
	}
	cli, err := control.Start(ctx, p.Program, p.Stderr, clientArgs(peer, addr, p.profile(cell, peer, "client"), cell, p.Warmup, p.Duration))
	if err != nil {
		return Run{}, errors.Join(err, srv.Stop())
	}
	r := Run{Cell: cell, Round: round, Peer: peer}
	err = r.converse(srv, cli)
	return r, errors.Join(err, cli.Stop(), srv.Stop())
}

// converse leads both processes through the measurement.
func (r *Run) converse(srv, cli *control.Child) error {
	var res clientResult
	for _, step := range []struct {
		who string
		do  func() error
	}{
		{"client", func() error { return cli.Await(wordReady, nil) }},
		{"server", func() error { return srv.Send(wordBegin, nil) }},
		{"server", func() error { return srv.Await(wordReady, nil) }},
		{"client", func() error { return cli.Send(wordBegin, nil) }},
		{"client", func() error { return cli.Await(wordResult, &res) }},
		{"server", func() error { return srv.Send(wordEnd, nil) }},
		{"server", func() error { return srv.Await(wordResult, &r.Server) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.who, err)
		}
	}
	if res.Calls == 0 {
		return errors.New("no call was answered in time")
	}
	r.Calls, r.Elapsed, r.Client = res.Calls, res.Elapsed, res.Usage
	r.P50, r.P99, r.P999 = res.P50, res.P99, res.P999
	return nil
}

// profile names the file for the profile of a child; later rounds overwrite those before.
func (p Plan) profile(cell Cell, peer, side string) string {
	if p.Profiles == "" {
		return ""
	}
	name := fmt.Sprintf("%s-%d-%s-%s.pprof", cell.Letter, cell.Body, strings.ReplaceAll(peer, "/", ""), side)
	return filepath.Join(p.Profiles, name)
}
