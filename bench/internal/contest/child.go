package contest

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"github.com/osgochina/dmicro/bench/internal/control"
	"github.com/osgochina/dmicro/bench/internal/load"
	"github.com/osgochina/dmicro/bench/internal/usage"
	"github.com/osgochina/dmicro/bench/peers"
)

// The words of the conversation. A child says ready, is told to begin, and says what came out of it; a server is told
// when to end.
const (
	wordReady  = "ready"
	wordBegin  = "begin"
	wordEnd    = "end"
	wordResult = "result"
)

// clientResult is what a client process says in the end.
type clientResult struct {
	Calls          uint64
	Elapsed        time.Duration
	P50, P99, P999 time.Duration
	Usage          usage.Usage
}

// serverArgs and clientArgs are the command lines of children, which Child reads.
func serverArgs(peer, profile string) []string {
	return []string{"server", "-peer", peer, "-cpuprofile", profile}
}

func clientArgs(peer, addr, profile string, c Cell, warmup, duration time.Duration) []string {
	return []string{
		"client", "-peer", peer, "-cpuprofile", profile, "-addr", addr,
		"-conns", fmt.Sprint(c.Conns), "-callers", fmt.Sprint(c.Callers), "-body", fmt.Sprint(c.Body),
		"-warmup", warmup.String(), "-duration", duration.String(),
	}
}

// Child is the whole program of a server or client process, whose command line begins with "server" or "client". It
// talks with the process that started it over in and out and returns when that is gone.
func Child(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	name := flags.String("peer", "", "the peer to be")
	profile := flags.String("cpuprofile", "", "file for a profile of the time that is measured")
	addr := flags.String("addr", "", "address of the server")
	var s load.Shape
	flags.IntVar(&s.Conns, "conns", 1, "connections")
	flags.IntVar(&s.Callers, "callers", 1, "callers")
	flags.IntVar(&s.Body, "body", 128, "bytes to echo")
	warmup := flags.Duration("warmup", time.Second, "time to call before it counts")
	duration := flags.Duration("duration", time.Second, "time to measure")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	p, err := peers.Named(*name)
	if err != nil {
		return err
	}
	line := control.New(in, out)
	if args[0] == "server" {
		return serve(p, line, *profile)
	}
	return call(p, *addr, s, line, *profile, *warmup, *duration)
}

func serve(p peers.Peer, line *control.Line, profile string) error {
	srv, err := p.Serve()
	if err != nil {
		return err
	}
	defer srv.Stop()
	if err := line.Send(wordReady, srv.Addr); err != nil {
		return err
	}
	if err := line.Await(wordBegin, nil); err != nil {
		return gone(err)
	}
	used, err := measured(profile, func() error {
		if err := line.Send(wordReady, nil); err != nil {
			return err
		}
		return line.Await(wordEnd, nil)
	})
	if err != nil {
		return gone(err)
	}
	return line.Send(wordResult, used)
}

func call(p peers.Peer, addr string, s load.Shape, line *control.Line, profile string, warmup, duration time.Duration) error {
	l, err := load.Open(p, addr, s)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // the figures are taken by then
	if _, err := l.Run(warmup); err != nil {
		return err
	}
	if err := line.Send(wordReady, nil); err != nil {
		return err
	}
	if err := line.Await(wordBegin, nil); err != nil {
		return gone(err)
	}
	var out load.Outcome
	used, err := measured(profile, func() (err error) {
		out, err = l.Run(duration)
		return err
	})
	if err != nil {
		return err
	}
	return line.Send(wordResult, clientResult{
		Calls: out.Calls, Elapsed: out.Elapsed, Usage: used,
		P50: out.Latencies.Quantile(0.5), P99: out.Latencies.Quantile(0.99), P999: out.Latencies.Quantile(0.999),
	})
}

// gone is what it means when the other side ends the conversation: nothing is left to do.
func gone(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// measured returns what the process uses while work runs, and writes a profile of it if a file is named.
func measured(profile string, work func() error) (usage.Usage, error) {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return usage.Usage{}, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return usage.Usage{}, errors.Join(err, f.Close())
		}
		defer func() {
			pprof.StopCPUProfile()
			_ = f.Close() // a short profile is seen when it is read
		}()
	}
	before := usage.Now()
	err := work()
	return usage.Now().Since(before), err
}
