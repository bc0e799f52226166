package dserver

import (
	"cmp"
	"slices"

	"github.com/osgochina/dmicro/drpc"
)

// topFrame is what happened between two looks at the application.
type topFrame struct {
	Seconds   float64      `json:"seconds"`
	Processes []topProcess `json:"processes"`
	Methods   []topMethod  `json:"methods"`
}

type topProcess struct {
	ctlProcess
	CPU      float64 `json:"cpu"` // of one processor: 1 is all of it
	Sessions int     `json:"sessions"`
	Serving  int     `json:"serving"`
	Calling  int     `json:"calling"`
	InRate   float64 `json:"bytesInPerSecond"`
	OutRate  float64 `json:"bytesOutPerSecond"`
	Calls    float64 `json:"requestsPerSecond"`
}

type topMethod struct {
	PID     int     `json:"pid"`
	Service string  `json:"service,omitempty"`
	Kind    string  `json:"kind"`
	Path    string  `json:"path"`
	Calls   float64 `json:"requestsPerSecond"`
	Errors  float64 `json:"failuresPerSecond"`
	Running int     `json:"inFlight"`
	P50     float64 `json:"p50Seconds"`
	P99     float64 `json:"p99Seconds"`
}

// frameOf compares two looks that are so many seconds apart. A process that was not there before counts from zero.
func frameOf(before, after ctlLoads, seconds float64) topFrame {
	f := topFrame{Seconds: seconds}
	for _, now := range after.List {
		var was ctlLoad
		if i := slices.IndexFunc(before.List, func(l ctlLoad) bool { return l.PID == now.PID }); i >= 0 {
			was = before.List[i]
		}
		p := topProcess{
			ctlProcess: now.ctlProcess, CPU: (now.CPU - was.CPU) / seconds,
			Sessions: now.Sessions, Serving: now.Serving, Calling: now.Calling,
			InRate: rate(was.BytesIn, now.BytesIn, seconds), OutRate: rate(was.BytesOut, now.BytesOut, seconds),
		}
		for _, m := range now.Methods {
			top := methodFrame(now, was.method(m), m, seconds)
			p.Calls += top.Calls
			f.Methods = append(f.Methods, top)
		}
		f.Processes = append(f.Processes, p)
	}
	slices.SortStableFunc(f.Methods, func(a, b topMethod) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(b.Running, a.Running), cmp.Compare(a.Path, b.Path))
	})
	return f
}

// method returns what l has of the same method as m; the zero value if it has not seen it.
func (l ctlLoad) method(m ctlMethodLoad) ctlMethodLoad {
	i := slices.IndexFunc(l.Methods, func(o ctlMethodLoad) bool { return o.Kind == m.Kind && o.Path == m.Path })
	if i < 0 || l.Methods[i].Done > m.Done { // measured anew since
		return ctlMethodLoad{}
	}
	return l.Methods[i]
}

func methodFrame(p ctlLoad, was, now ctlMethodLoad, seconds float64) topMethod {
	latency := now.histogram()
	for i, n := range was.histogram() {
		latency[i] -= min(n, latency[i])
	}
	return topMethod{
		PID: p.PID, Service: p.Service, Kind: now.Kind, Path: now.Path,
		Calls: rate(was.Done, now.Done, seconds), Errors: rate(was.Failed, now.Failed, seconds), Running: now.Running,
		P50: latency.Quantile(0.5).Seconds(), P99: latency.Quantile(0.99).Seconds(),
	}
}

func (m ctlMethodLoad) histogram() (h drpc.Histogram) {
	for _, c := range m.Latency {
		if c[0] < uint64(len(h)) {
			h[c[0]] = c[1]
		}
	}
	return h
}

func rate(was, now uint64, seconds float64) float64 {
	if now < was {
		return 0
	}
	return float64(now-was) / seconds
}
