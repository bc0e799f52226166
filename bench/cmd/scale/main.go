// Command scale measures what very many sessions cost on one server: memory, accepting, CPU time.
//
//	go run ./cmd/scale -idle 100000 -calling 10000
//
// Progress goes to standard error, the report to standard output, or with -out into a directory.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/osgochina/dmicro/bench/internal/crowd"
	"github.com/osgochina/dmicro/bench/internal/report"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && (args[0] == "server" || args[0] == "client") {
		return crowd.Child(args, os.Stdin, os.Stdout)
	}
	flags := flag.NewFlagSet("scale", flag.ExitOnError)
	plan := crowd.Plan{Stderr: os.Stderr, Progress: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}}
	networks := flags.String("networks", "tcp,unix", "transports to measure")
	flags.IntVar(&plan.Idle, "idle", 100_000, "sessions that do nothing")
	flags.IntVar(&plan.Calling, "calling", 10_000, "sessions that call once a second; 0 measures none")
	flags.DurationVar(&plan.Watch, "watch", 10*time.Second, "how long to count CPU time")
	out := flags.String("out", "", "directory for the report, scale.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if plan.Program, err = os.Executable(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var crowds []crowd.Crowd
	for network := range strings.SplitSeq(*networks, ",") {
		measured, err := plan.Measure(ctx, network)
		if err != nil {
			return fmt.Errorf("%s: %w", network, err)
		}
		crowds = append(crowds, measured...)
	}
	var page bytes.Buffer
	report.Crowds(&page, report.Here(report.Command("scale", args)), crowds)
	if *out == "" {
		_, err = os.Stdout.Write(page.Bytes())
		return err
	}
	return os.WriteFile(filepath.Join(*out, "scale.md"), page.Bytes(), 0o644)
}
