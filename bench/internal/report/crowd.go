package report

import (
	"fmt"
	"io"
	"time"

	"github.com/osgochina/dmicro/bench/internal/crowd"
)

// maxSession is how much memory an idle TCP session may take on one side, in bytes.
const maxSession = 16 << 10

// Crowds writes the report of many sessions.
func Crowds(w io.Writer, o Origin, crowds []crowd.Crowd) {
	fmt.Fprint(w, "# Many sessions on one server\n\nWritten by a program; [README.md](README.md) says how to read it.\n\n")
	o.Write(w)
	for _, c := range crowds {
		if c.Limit != "" {
			fmt.Fprintf(w, "- %s: %s sessions instead of %s, because %s\n",
				c.Network, thousands(float64(c.Sessions)), thousands(float64(c.Asked)), c.Limit)
		}
	}
	fmt.Fprint(w, "\n## Idle sessions\n\n")
	idleTable(crowds).write(w)
	fmt.Fprint(w, "\n## Sessions that call once a second\n\n")
	callTable(crowds).write(w)
	fmt.Fprint(w, "\n## What has to hold\n\n")
	crowdGoals(crowds).write(w)
}

func idleTable(crowds []crowd.Crowd) *table {
	t := &table{head: []string{"network", "sessions", "client processes", "µs/accept",
		"server: B resident/session", "heap", "stacks", "client: B resident/session", "heap", "stacks",
		"CPU of the server", "of all clients", "of a server without sessions", "of a process without an endpoint"}}
	for _, c := range crowds {
		if c.Calls != nil {
			continue
		}
		t.add(c.Network, thousands(float64(c.Sessions)), fmt.Sprint(c.Clients), micros(float64(c.PerAccept())),
			thousands(c.Server.Resident), thousands(c.Server.Heap), thousands(c.Server.Stacks),
			thousands(c.Client.Resident), thousands(c.Client.Heap), thousands(c.Client.Stacks),
			share(c.ServerCPU, c.Watched), share(c.ClientCPU, c.Watched), share(c.EmptyCPU, c.Watched), share(c.BareCPU, c.Watched))
	}
	return t
}

func callTable(crowds []crowd.Crowd) *table {
	t := &table{head: []string{"network", "sessions", "calls", "failed", "p50 µs", "p99 µs",
		"CPU of the server", "µs/call", "CPU of all clients", "µs/call"}}
	for _, c := range crowds {
		if c.Calls == nil {
			continue
		}
		made := float64(max(c.Calls.Made, 1))
		t.add(c.Network, thousands(float64(c.Sessions)), thousands(made), thousands(float64(c.Calls.Failed)),
			micros(float64(c.Calls.P50)), micros(float64(c.Calls.P99)),
			share(c.ServerCPU, c.Watched), micros(float64(c.ServerCPU)/made),
			share(c.ClientCPU, c.Watched), micros(float64(c.ClientCPU)/made))
	}
	return t
}

// idleShare is how much of a core is none: less than two processes that do nothing differ by.
const idleShare = 0.001

func crowdGoals(crowds []crowd.Crowd) *table {
	t := &table{head: []string{"what", "must be", "is", "held"}}
	for _, c := range crowds {
		if c.Calls != nil {
			continue
		}
		if c.Network == "tcp" {
			for _, side := range []struct {
				name string
				each crowd.Each
			}{{"server", c.Server}, {"client", c.Client}} {
				t.add("memory of an idle TCP session, "+side.name, "at most 16 KiB",
					decimal(side.each.Resident/1024, 1)+" KiB", held(side.each.Resident <= maxSession))
			}
		}
		for _, idle := range []struct {
			what string
			cpu  time.Duration
		}{{"without sessions", c.EmptyCPU}, {"with idle sessions", c.ServerCPU}} {
			more := max(idle.cpu-c.BareCPU, 0)
			t.add("CPU of an endpoint "+idle.what+" beyond that of a process without one, "+c.Network, "none",
				share(more, c.Watched), held(more.Seconds() <= idleShare*c.Watched.Seconds()))
		}
	}
	return t
}

// share returns CPU time as a part of one core.
func share(cpu, of time.Duration) string {
	return decimal(100*cpu.Seconds()/of.Seconds(), 2) + " % of a core"
}
