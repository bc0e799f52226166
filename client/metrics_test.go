package client

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/metrics/prometheus"
	"github.com/osgochina/dmicro/registry"
)

// counted returns what m has counted of calls and pushes of this side: "call /echo 105" to how often.
func counted(t *testing.T, m *prometheus.PromMetrics) map[string]string {
	t.Helper()
	text, err := m.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		for kind, name := range map[string]string{"call": "rpc_server_call_code_total", "push": "rpc_push_sent_code_total"} {
			labels, ok := strings.CutPrefix(line, name+"{")
			if !ok {
				continue
			}
			var code, path, n string
			if _, err := fmt.Sscanf(labels, "code=%q,name=\"svc\",path=%q} %s", &code, &path, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			found[kind+" "+path+" "+code] = n
		}
	}
	return found
}

func TestCallsWithoutASessionAreCountedWithTheirStatus(t *testing.T) {
	t.Parallel()
	up, down := newNode(t).addr, nobodyAt(t)
	call := func(c *RpcClient) { c.Call("/echo", "", nil) }
	async := func(c *RpcClient) { <-c.AsyncCall("/echo", "", nil, nil).Done() }
	push := func(c *RpcClient) { _ = c.Push("/note", "") }
	for name, tt := range map[string]struct {
		nodes []string
		run   []func(*RpcClient)
		want  map[string]string
	}{
		"no node": {nil, []func(*RpcClient){call, call, async, push},
			map[string]string{"call /echo 500": "3", "push /note 500": "1"}},
		"no dial": {[]string{down}, []func(*RpcClient){call, async, push},
			map[string]string{"call /echo 105": "2", "push /note 105": "1"}},
		"one of the nodes will do": {[]string{up, down}, []func(*RpcClient){call, call, call, call},
			map[string]string{"call /echo 0": "4"}},
		"all nodes, one is down": {[]string{up, down}, []func(*RpcClient){
			func(c *RpcClient) { _, _ = c.CallAll("/echo", "", nil) },
			func(c *RpcClient) { _, _ = c.PushAll("/echo", "") },
		}, map[string]string{"call /echo 0": "1", "call /echo 105": "1", "push /echo 0": "1", "push /echo 105": "1"}},
		"all of no nodes": {nil, []func(*RpcClient){
			func(c *RpcClient) { _, _ = c.CallAll("/echo", "", nil) },
			func(c *RpcClient) { _, _ = c.PushAll("/echo", "") },
		}, map[string]string{"call /echo 500": "1", "push /echo 500": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := prometheus.NewPromMetrics(metrics.OptPort(-1))
			c := newClientOf(t, listed(t, tt.nodes...), OptMetrics(m))
			for _, run := range tt.run {
				run(c)
			}
			if got := counted(t, m); !maps.Equal(got, tt.want) {
				t.Errorf("counted %v, want %v", got, tt.want)
			}
		})
	}
}

// costs is an observer that keeps how long messages took.
type costs chan drpc.Observation

func (c costs) Observe(o drpc.Observation) { c <- o }

// asked is a registry that tells when it is asked first, and does not answer.
type asked struct {
	hanging
	first chan struct{}
}

func (a asked) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	select {
	case a.first <- struct{}{}:
	default:
	}
	return a.hanging.GetService(name, opts...)
}

func TestCostOfACallWithoutASessionIsTheTimeItWaited(t *testing.T) {
	t.Parallel()
	r := asked{hanging{listed(t)}, make(chan struct{}, 1)}
	c, err := New("svc", OptRegistry(r))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	seen := make(costs, 1)
	defer c.Endpoint().Observe(seen)()
	const wait = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-r.first // the call has begun
		<-time.After(wait)
		cancel()
	}()
	c.Call("/echo", "", nil, drpc.WithContext(ctx))
	if o := <-seen; o.Status.Code() != drpc.CodeHandleTimeout || o.Cost < wait || o.ServiceMethod != "/echo" {
		t.Errorf("%+v", o)
	}
}
