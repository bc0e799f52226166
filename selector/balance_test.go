package selector

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/race"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

const picks = 100_000

// within fails the test unless each share is within a part of what it should be.
func within(t *testing.T, got map[string]int, ideal map[string]float64, tolerance float64) {
	t.Helper()
	total := 0
	for _, n := range got {
		total += n
	}
	for id, want := range ideal {
		share := float64(got[id]) / float64(total)
		if math.Abs(share-want) > tolerance*want {
			t.Errorf("%s has %.4f of %d, want %.4f within %v %%", id, share, total, want, 100*tolerance)
		}
	}
	if len(got) != len(ideal) {
		t.Errorf("%d nodes were chosen, want %d: %v", len(got), len(ideal), got)
	}
}

func TestEachBalancerGivesEachNodeItsShare(t *testing.T) {
	t.Parallel()
	weights := []int{1, 2, 3, 4} // none so small that chance makes 5 % of it
	for _, tt := range []struct {
		balancer Balancer
		weighted bool
	}{
		{UniformRandom(), false}, {RoundRobin(), false}, {Weighted(), true}, {ConsistentHash(0), false}, {LeastLoad(), false},
	} {
		t.Run(tt.balancer.String(), func(t *testing.T) {
			t.Parallel()
			r := memory.NewRegistry()
			ideal := map[string]float64{}
			for i, w := range weights {
				if !tt.weighted {
					w = 1
				}
				s := node(i, "weight", fmt.Sprint(w))
				register(t, r, s)
				ideal[s.Nodes[0].Id] = float64(w) / 10
				if !tt.weighted {
					ideal[s.Nodes[0].Id] = 1 / float64(len(weights))
				}
			}
			p := newPicker(t, r, OptBalancer(tt.balancer))
			got := map[string]int{}
			for i := range picks {
				c := pick(t, p, Request{Key: fmt.Sprint("user", i)})
				got[c.Node.Id]++
				c.Done(Ignored)
			}
			within(t, got, ideal, 0.05)
		})
	}
}

func TestRoundRobinTakesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	p := newPicker(t, nodes(t, 3), OptBalancer(RoundRobin()))
	var last [3]string
	for i := range 30 {
		id := pick(t, p, Request{}).Node.Id
		if i >= 3 && last[i%3] != id {
			t.Fatalf("%s after %v", id, last)
		}
		last[i%3] = id
	}
	if last[0] == last[1] || last[1] == last[2] || last[0] == last[2] {
		t.Errorf("%v", last)
	}
}

func TestWeightsOfNodes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"": 1, "0": 0, "2": 2, "0.5": 0.5, "1e6": 1e6, "1e7": 1, "-1": 1, "NaN": 1, "Inf": 1, "many": 1,
	} {
		if got := weightOf(map[string]string{"weight": text}); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	for _, b := range []Balancer{Weighted(), LeastLoad()} {
		r := memory.NewRegistry()
		register(t, r, node(0, "weight", "0"))
		register(t, r, node(1))
		p := newPicker(t, r, OptBalancer(b))
		for range 1000 {
			if c := pick(t, p, Request{}); c.Node.Id != "n01" {
				t.Fatalf("%s: a node of weight 0 was chosen", b)
			}
		}
		register(t, r, node(1, "weight", "0"))
		polltest.Until(t, "a choice of two nodes of weight 0", func() bool { return pick(t, p, Request{}).Node.Id == "n00" })
	}
}

// owners returns where keys go.
func owners(t *testing.T, p Picker, keys int) []string {
	t.Helper()
	all := make([]string, keys)
	for i := range all {
		c := pick(t, p, Request{Key: fmt.Sprint("key", i)})
		all[i] = c.Node.Id
		c.Done(Ignored)
	}
	return all
}

func TestHashMovesOnlyTheKeysOfTheNodeThatLeaves(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 10, 40} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := nodes(t, n)
			p := newPicker(t, r, OptBalancer(ConsistentHash(0)), OptHealth(Health{SlowStart: -1}))
			before := owners(t, p, 20_000)
			if err := r.Deregister(node(n / 2)); err != nil {
				t.Fatal(err)
			}
			settle(t, p, n-1)
			left := node(n / 2).Nodes[0].Id
			moved := 0
			after := owners(t, p, len(before))
			for i := range before {
				if before[i] != after[i] {
					moved++
					if before[i] != left {
						t.Fatalf("key %d moved from %s to %s", i, before[i], after[i])
					}
				}
			}
			if share := float64(moved) / float64(len(before)); share > 1/float64(n)+0.05 {
				t.Errorf("%.3f of the keys moved, want 1/%d", share, n)
			}
			register(t, r, node(n/2))
			settle(t, p, n)
			for i, id := range owners(t, p, len(before)) {
				if id != before[i] {
					t.Fatalf("key %d is at %s after the node came back, was at %s", i, id, before[i])
				}
			}
			other := newPicker(t, r, OptBalancer(ConsistentHash(0)))
			for i, id := range owners(t, other, len(before)) {
				if id != before[i] {
					t.Fatalf("another client sends key %d to %s, not %s", i, id, before[i])
				}
			}
		})
	}
}

func TestHashTellsVersionsWithEqualIdsApart(t *testing.T) {
	t.Parallel()
	r := nodes(t, 1)
	s := node(0)
	s.Version, s.Nodes[0].Address = "2.0.0", "10.0.0.99:80"
	register(t, r, s)
	p := newPicker(t, r, OptBalancer(ConsistentHash(0)))
	got := map[string]int{}
	for i := range 20_000 {
		c := pick(t, p, Request{Key: fmt.Sprint(i)})
		got[c.Node.Address]++
		c.Done(Ignored)
	}
	within(t, got, map[string]float64{"10.0.0.0:80": 0.5, "10.0.0.99:80": 0.5}, 0.05)
}

func TestHashBoundsTheLoadOfANode(t *testing.T) {
	t.Parallel()
	const n, calls = 10, 1000
	p := newPicker(t, nodes(t, n), OptBalancer(ConsistentHash(1.5)))
	got := map[string]int{}
	var open []Choice
	for range calls {
		c := pick(t, p, Request{Key: "everybody wants this"})
		got[c.Node.Id]++
		open = append(open, c)
	}
	for id, calls := range got {
		if calls > 151 {
			t.Errorf("%s has %d calls in flight, want no more than 1.5 times the average, 100", id, calls)
		}
	}
	if len(got) > 8 {
		t.Errorf("the key went to %d nodes, want as few as can be", len(got))
	}
	for _, c := range open {
		c.Done(Ignored)
	}
	home := pick(t, p, Request{Key: "everybody wants this"})
	if got[home.Node.Id] < 100 {
		t.Errorf("the key does not go home after the rush")
	}
}

func TestHashRemembersNoLoadOfAnotherPool(t *testing.T) {
	t.Parallel()
	p := newPicker(t, nodes(t, 3), OptBalancer(ConsistentHash(0)))
	for range 100 {
		pick(t, p, Request{}).Done(Succeeded)
	}
	if got := poolOf(t, p).total.Load(); got != 0 {
		t.Errorf("%d calls in flight after all are done", got)
	}
}

func TestLeastLoadAvoidsASlowNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, callers, each = 5, 10, picks / 10
		p := newPicker(t, nodes(t, n))
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range each {
					c := pick(t, p, Request{})
					mu.Lock()
					got[c.Node.Id]++
					mu.Unlock()
					latency := 5*time.Millisecond + rand.N(10*time.Millisecond)
					if c.Node.Id == "n02" {
						latency *= 10
					}
					time.Sleep(latency)
					c.Done(Succeeded)
				}
			})
		}
		wg.Wait()
		const fair = callers * each / n
		if got["n02"] >= fair/3 {
			t.Errorf("the slow node had %d calls, want less than a third of %d", got["n02"], fair)
		}
		delete(got, "n02")
		within(t, got, map[string]float64{"n00": 0.25, "n01": 0.25, "n03": 0.25, "n04": 0.25}, 0.05)
		_ = p.Close()
		synctest.Wait()
	})
}

func TestLeastLoadAvoidsAFrozenNode(t *testing.T) {
	t.Parallel()
	p := newPicker(t, nodes(t, 3))
	frozen := 0
	for range 1000 {
		if c := pick(t, p, Request{}); c.Node.Id == "n01" {
			frozen++ // and never done
		} else {
			c.Done(Succeeded)
		}
	}
	if frozen > 30 {
		t.Errorf("%d of 1000 calls went to a node that answers none", frozen)
	}
}

func TestSlowNodeThatBecameFastGetsCallsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPicker(t, nodes(t, 2))
		call := func(slow time.Duration) string {
			c := pick(t, p, Request{})
			if c.Node.Id == "n01" {
				time.Sleep(slow)
			}
			time.Sleep(time.Millisecond)
			c.Done(Succeeded)
			return c.Node.Id
		}
		for range 1000 {
			call(100 * time.Millisecond)
		}
		late := 0
		for range 200_000 { // 200 s
			if call(0) == "n01" {
				if late++; late > 1000 {
					break
				}
			}
		}
		if late < 1000 {
			t.Errorf("%d calls went to the node that is fast again", late)
		}
		_ = p.Close()
		synctest.Wait()
	})
}

// balancers are all that there are.
func balancers() []Balancer {
	return []Balancer{UniformRandom(), RoundRobin(), Weighted(), LeastLoad(), ConsistentHash(0)}
}

func TestPickAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, b := range balancers() {
		p := newPicker(t, nodes(t, 100), OptBalancer(b))
		ctx := context.Background()
		avoid := []*registry.Node{pick(t, p, Request{}).Node}
		// Many, because the watch of the registry reports the nodes meanwhile: what it allocates counts, too, once.
		if n := testing.AllocsPerRun(50_000, func() {
			c, err := p.Pick(ctx, "foo", Request{Key: "key", Avoid: avoid})
			if err != nil {
				t.Error(err)
			}
			c.Done(Succeeded)
		}); n != 0 {
			t.Errorf("%s: %v allocations", b, n)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, balancer := range balancers() {
		b.Run(balancer.String(), func(b *testing.B) {
			p := newPicker(b, nodes(b, 100), OptBalancer(balancer))
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				c, err := p.Pick(ctx, "foo", Request{Key: "user 4711"})
				if err != nil {
					b.Fatal(err)
				}
				c.Done(Succeeded)
			}
		})
	}
}

func BenchmarkBuildHash(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		p := newPicker(b, nodes(b, n), OptBalancer(ConsistentHash(0)))
		pick(b, p, Request{})
		members := poolOf(b, p).lists.Load().members
		b.Run(fmt.Sprint(n, " new"), func(b *testing.B) {
			for b.Loop() {
				ConsistentHash(0).Build(members, nil)
			}
		})
		b.Run(fmt.Sprint(n, " one leaves"), func(b *testing.B) {
			all := ConsistentHash(0).Build(members, nil)
			for b.Loop() {
				ConsistentHash(0).Build(members[1:], all)
			}
		})
	}
}
