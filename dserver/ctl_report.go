package dserver

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

// measureTime is how long methods are measured after somebody has last asked for the load.
const measureTime = 15 * time.Second

// reporter tells what this process does.
type reporter struct {
	server *DServer
	hidden func(drpc.Endpoint) bool // endpoints that are dserver's own

	mu  sync.Mutex
	off *time.Timer // ends the measuring; nil while nobody measures
}

func (r *reporter) process() ctlProcess {
	return ctlProcess{
		PID: os.Getpid(), Generation: r.server.generation(), Service: r.server.workerOf(),
		Uptime: time.Since(r.server.StartTime().Time).Seconds(), Memory: residentMemory(),
	}
}

// endpoints are those of the application.
func (r *reporter) endpoints() []drpc.Endpoint {
	return slices.DeleteFunc(drpc.Endpoints(), r.hidden)
}

// sessions lists the sessions, those with the most work first.
func (r *reporter) sessions(limit int) ctlSessions {
	own, now := r.process(), time.Now()
	var list []ctlPeerNow
	for _, e := range r.endpoints() {
		e.RangeSession(func(sess drpc.Session) bool {
			st := sess.Stats()
			list = append(list, ctlPeerNow{
				PID: own.PID, Service: own.Service, ID: st.ID, Remote: st.Remote, Local: st.Local, Dialed: st.Dialed,
				Age: now.Sub(st.Since).Seconds(), Idle: max(now.Sub(st.LastActive), 0).Seconds(),
				Serving: st.Serving, Calling: st.Calling, Queued: st.Queued,
				BytesIn: st.BytesIn, BytesOut: st.BytesOut, Redials: st.Redials,
			})
			return true
		})
	}
	return ctlSessions{Total: len(list), List: list}.busiest(limit)
}

// busiest keeps the limit sessions with the most work.
func (s ctlSessions) busiest(limit int) ctlSessions {
	slices.SortFunc(s.List, func(a, b ctlPeerNow) int {
		return cmp.Or(
			cmp.Compare(b.Serving+b.Calling, a.Serving+a.Calling), cmp.Compare(b.BytesIn+b.BytesOut, a.BytesIn+a.BytesOut),
			cmp.Compare(a.ID, b.ID),
		)
	})
	if limit <= 0 || limit > maxSessionsTold {
		limit = maxSessionsTold
	}
	s.List = s.List[:min(len(s.List), limit)]
	return s
}

func (s *ctlSessions) join(other ctlSessions, limit int) {
	*s = ctlSessions{Total: s.Total + other.Total, List: append(s.List, other.List...)}.busiest(limit)
}

func (r *reporter) routes() ctlRoutes {
	own := r.process()
	var all ctlRoutes
	for _, e := range r.endpoints() {
		for _, route := range e.Routes() {
			all.List = append(all.List, ctlRoute{
				Service: own.Service, Kind: route.Kind, Path: route.Path, Arg: route.Arg, Reply: route.Reply,
			})
		}
	}
	all.Total = len(all.List)
	return all.cut()
}

// cut sorts the routes and keeps what fits into a message. Endpoints of one process that serve the same are one row.
func (r ctlRoutes) cut() ctlRoutes {
	slices.SortFunc(r.List, func(a, b ctlRoute) int {
		return cmp.Or(
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Service, b.Service),
			cmp.Compare(a.Arg, b.Arg), cmp.Compare(a.Reply, b.Reply),
		)
	})
	before := len(r.List)
	r.List = slices.Compact(r.List)
	r.Total -= before - len(r.List)
	r.List = r.List[:min(len(r.List), maxRoutesTold)]
	return r
}

func (r *ctlRoutes) join(other ctlRoutes) {
	*r = ctlRoutes{Total: r.Total + other.Total, List: append(r.List, other.List...)}.cut()
}

// load returns the counters, and keeps the methods measured for a while. The first answer so has no methods.
func (r *reporter) load() ctlLoad {
	l := ctlLoad{ctlProcess: r.process(), CPU: processorTime().Seconds()}
	endpoints := r.measure()
	type key struct{ kind, path string }
	methods := make(map[key]*drpc.MethodStats)
	for _, e := range endpoints {
		st := e.Stats()
		l.Sessions += st.Sessions
		l.Serving += st.Serving
		l.Calling += st.Calling
		l.BytesIn += st.BytesIn
		l.BytesOut += st.BytesOut
		for _, m := range e.Methods() {
			k := key{m.Kind, m.Path}
			if methods[k] == nil {
				methods[k] = &m
			} else {
				addMethod(methods[k], m)
			}
		}
	}
	for _, m := range methods {
		l.Methods = append(l.Methods, wireMethod(m))
	}
	slices.SortFunc(l.Methods, func(a, b ctlMethodLoad) int {
		return cmp.Or(cmp.Compare(b.Done, a.Done), cmp.Compare(b.Running, a.Running), cmp.Compare(a.Path, b.Path))
	})
	l.Methods = l.Methods[:min(len(l.Methods), maxMethodsTold)]
	return l
}

func addMethod(to *drpc.MethodStats, m drpc.MethodStats) {
	to.Done += m.Done
	to.Failed += m.Failed
	to.Running += m.Running
	for i, n := range m.Latency {
		to.Latency[i] += n
	}
}

func wireMethod(m *drpc.MethodStats) ctlMethodLoad {
	w := ctlMethodLoad{Kind: m.Kind, Path: m.Path, Done: m.Done, Failed: m.Failed, Running: m.Running}
	for i, n := range m.Latency {
		if n > 0 {
			w.Latency = append(w.Latency, [2]uint64{uint64(i), n})
		}
	}
	return w
}

// measure sees to it that the methods of all endpoints are measured until measureTime from now.
func (r *reporter) measure() []drpc.Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off == nil {
		r.off = time.AfterFunc(measureTime, r.rest)
	} else {
		r.off.Reset(measureTime)
	}
	list := r.endpoints()
	for _, e := range list {
		e.Measure(true)
	}
	return list
}

// rest ends the measuring.
func (r *reporter) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off == nil {
		return
	}
	r.off.Stop()
	r.off = nil
	for _, e := range r.endpoints() {
		e.Measure(false)
	}
}

// otherProcess is a worker whose control socket the master asks.
type otherProcess interface {
	call(ctx context.Context, method string, arg, reply any) *drpc.Status
}

// askOthers calls a method of the other processes of the application, side by side, and gives each answer to join. One
// that does not answer is left out: what the others say is worth more than an error.
func (c *ctlServer) askOthers(method string, arg any, join func(answer json.RawMessage)) {
	if c.others == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.server.answerTime)
	defer cancel()
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, p := range c.others() {
		wg.Go(func() {
			var answer json.RawMessage
			if stat := p.call(ctx, method, arg, &answer); stat.OK() {
				mu.Lock()
				defer mu.Unlock()
				join(answer)
			}
		})
	}
	wg.Wait()
}

// joinInto decodes an answer for join. A worker whose answer cannot be read is left out, too.
func joinInto[T any](join func(T)) func(json.RawMessage) {
	return func(answer json.RawMessage) {
		var v T
		if json.Unmarshal(answer, &v) == nil {
			join(v)
		}
	}
}

func (c *ctlServer) sessions(_ drpc.CtxSession, limit int) (any, *drpc.Status) {
	all := c.reporter.sessions(limit)
	c.askOthers(methodSessions, limit, joinInto(func(s ctlSessions) { all.join(s, limit) }))
	return all, nil
}

func (c *ctlServer) routes(drpc.CtxSession, ctlNone) (any, *drpc.Status) {
	all := c.reporter.routes()
	c.askOthers(methodRoutes, nil, joinInto(all.join))
	return all, nil
}

func (c *ctlServer) load(drpc.CtxSession, ctlNone) (any, *drpc.Status) {
	all := ctlLoads{List: []ctlLoad{c.reporter.load()}}
	c.askOthers(methodLoad, nil, joinInto(func(l ctlLoads) { all.List = append(all.List, l.List...) }))
	slices.SortFunc(all.List, func(a, b ctlLoad) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.PID, b.PID))
	})
	return all, nil
}
