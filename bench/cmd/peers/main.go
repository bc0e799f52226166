// Command peers measures DMicro beside other RPC frameworks, and what its features cost.
//
//	go run ./cmd/peers -cells b -bodies 128 -peers ours,floor-mux,arpc -rounds 3 -duration 2s
//
// Progress goes to standard error, the tables to standard output, and with -out as reports into a directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/osgochina/dmicro/bench/internal/contest"
	"github.com/osgochina/dmicro/bench/internal/report"
	"github.com/osgochina/dmicro/bench/peers"
)

// kind is what can be measured: rows beside each other, or against the first of them.
type kind struct {
	name, heading string
	rows          func() []peers.Peer
	against       bool
	cells         string // by default
	goals         func(io.Writer, []contest.Row)
}

var contests = []kind{
	{name: "peers", heading: "DMicro beside its peers", rows: peers.Frameworks, goals: report.Goals},
	{
		name: "features", heading: "What features cost", rows: peers.Features, against: true, cells: "a,b",
		goals: report.FeatureGoals,
	},
	{
		name: "transports", heading: "Transports beside TCP", rows: peers.Transports, against: true, cells: "a,b",
		goals: report.TransportGoals,
	},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && (args[0] == "server" || args[0] == "client") {
		return contest.Child(args, os.Stdin, os.Stdout)
	}
	flags := flag.NewFlagSet("peers", flag.ExitOnError)
	cells := flags.String("cells", "", "settings to measure, such as a,b; all by default, a,b with -features and -transports")
	bodies := flags.String("bodies", "", "sizes of bodies in bytes, such as 128,1024; all by default")
	names := flags.String("peers", "", "rows to measure; all by default")
	features := flags.Bool("features", false, "measure what features cost, instead of peers")
	transports := flags.Bool("transports", false, "measure transports, instead of peers")
	plan := contest.Plan{Stderr: os.Stderr, Progress: progress}
	flags.IntVar(&plan.Rounds, "rounds", 5, "how often to measure each row")
	flags.DurationVar(&plan.Duration, "duration", 3*time.Second, "how long to measure a row")
	flags.DurationVar(&plan.Warmup, "warmup", time.Second, "how long a row calls before that")
	out := flags.String("out", "", "directory for reports: peers, features or transports .md, .svg and .json")
	flags.StringVar(&plan.Profiles, "profiles", "", "directory for CPU profiles of servers and clients")
	if err := flags.Parse(args); err != nil {
		return err
	}
	what := contests[0]
	switch {
	case *features && *transports:
		return errors.New("either -features or -transports")
	case *features:
		what = contests[1]
	case *transports:
		what = contests[2]
	}
	all, base := what.rows(), ""
	if what.against {
		base = all[0].Name
	}
	var err error
	if plan.Peers, err = peers.Select(all, *names); err != nil {
		return err
	}
	if *cells == "" {
		*cells = what.cells
	}
	if plan.Cells, err = contest.Cells(*cells, *bodies); err != nil {
		return err
	}
	if plan.Program, err = os.Executable(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	runs, err := plan.Measure(ctx)
	if err != nil {
		return err
	}
	c := report.Contest{
		Origin: report.Here(report.Command("peers", args)),
		Rounds: plan.Rounds, Warmup: plan.Warmup, Duration: plan.Duration,
		Runs: runs, Rows: contest.Summary(plan.Cells, plan.Peers, runs), Peers: plan.Peers, Base: base,
		Heading: what.heading, Goals: what.goals,
	}
	report.Figures(os.Stdout, c.Rows, base)
	what.goals(os.Stdout, c.Rows)
	if *out == "" {
		return nil
	}
	return c.Save(*out, what.name)
}

func progress(r contest.Run, left time.Duration) {
	fmt.Fprintf(os.Stderr, "%s, round %d: %-12s %9.0f calls/s, p99 %v; %v to go\n",
		r.Cell, r.Round+1, r.Peer, r.PerSecond(), r.P99.Round(time.Microsecond), left.Round(time.Second))
}
