package selector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

// bubble runs a test in virtual time with a picker of n nodes.
func bubble(t *testing.T, n int, h Health, test func(t *testing.T, r registry.Registry, p Picker)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := nodes(t, n)
		p := newPicker(t, r, OptBalancer(RoundRobin()), OptHealth(h))
		pick(t, p, Request{}).Done(Succeeded)
		synctest.Wait()
		test(t, r, p)
		_ = p.Close()
		synctest.Wait()
	})
}

// callNode makes picks until one goes to the node, and ends that one with o; the others succeed. It returns false if none
// of many goes there.
func callNode(t *testing.T, p Picker, id string, o Outcome) bool {
	t.Helper()
	for range 1000 {
		c := pick(t, p, Request{})
		if c.Node.Id == id {
			c.Done(o)
			return true
		}
		c.Done(Succeeded)
	}
	return false
}

// chosen returns which nodes are chosen.
func chosen(t *testing.T, p Picker) []string {
	t.Helper()
	var ids []string
	for range 1000 {
		c := pick(t, p, Request{})
		if !slices.Contains(ids, c.Node.Id) {
			ids = append(ids, c.Node.Id)
		}
		c.Done(Ignored)
	}
	slices.Sort(ids)
	return ids
}

func wantChosen(t *testing.T, p Picker, ids ...string) {
	t.Helper()
	if got := chosen(t, p); !slices.Equal(got, ids) {
		t.Errorf("chosen are %v, want %v", got, ids)
	}
}

func TestUnreachableNodeIsLeftOutForAWhile(t *testing.T) {
	bubble(t, 3, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		callNode(t, p, "n01", Unreachable)
		wantChosen(t, p, "n00", "n02")
		time.Sleep(800 * time.Millisecond)
		wantChosen(t, p, "n00", "n02")
		time.Sleep(201 * time.Millisecond)
		wantChosen(t, p, "n00", "n01", "n02")
		callNode(t, p, "n01", Unreachable) // still: twice as long
		time.Sleep(1500 * time.Millisecond)
		wantChosen(t, p, "n00", "n02")
		time.Sleep(501 * time.Millisecond)
		for range 10 {
			callNode(t, p, "n01", Unreachable)
			time.Sleep(31 * time.Second)
		}
		callNode(t, p, "n01", Unreachable)
		time.Sleep(25 * time.Second)
		wantChosen(t, p, "n00", "n02")
		time.Sleep(5 * time.Second)
		wantChosen(t, p, "n00", "n01", "n02")
	})
}

func TestServicesHaveTheNodesThatAreLeftOut(t *testing.T) {
	bubble(t, 3, Health{}, func(t *testing.T, r registry.Registry, p Picker) {
		callNode(t, p, "n01", Unreachable)
		wantChosen(t, p, "n00", "n02")
		if all, err := p.Services(t.Context(), "foo"); err != nil || len(all) != 1 || len(all[0].Nodes) != 3 {
			t.Errorf("%+v, %v, want three nodes", all, err)
		}
		if _, err := p.Services(t.Context(), "bar"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown service: %v", err)
		}
		if err := r.Deregister(node(1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if all, err := p.Services(t.Context(), "foo"); err != nil || len(all[0].Nodes) != 2 {
			t.Errorf("%+v, %v, want two nodes", all, err)
		}
	})
}

func TestNodeThatIsHealthyForAWindowIsForgiven(t *testing.T) {
	bubble(t, 3, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for range 8 {
			callNode(t, p, "n01", Unreachable)
			time.Sleep(31 * time.Second)
		}
		for range 3 {
			callNode(t, p, "n01", Succeeded)
			time.Sleep(11 * time.Second)
		}
		callNode(t, p, "n01", Unreachable)
		time.Sleep(1001 * time.Millisecond)
		wantChosen(t, p, "n00", "n01", "n02")
	})
}

func TestAllButOneUnreachableNodeAreLeftOut(t *testing.T) {
	bubble(t, 5, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for _, id := range []string{"n00", "n01", "n03", "n04"} {
			callNode(t, p, id, Unreachable)
		}
		wantChosen(t, p, "n02")
		callNode(t, p, "n02", Unreachable) // then it is the network, and any node may be the first that is back
		wantChosen(t, p, "n00", "n01", "n02", "n03", "n04")
	})
}

func TestOnlyNodeIsNeverLeftOut(t *testing.T) {
	bubble(t, 1, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for range 100 {
			callNode(t, p, "n00", Unreachable)
			callNode(t, p, "n00", Failed)
		}
		wantChosen(t, p, "n00")
	})
}

func TestNodeThatFailsInARowIsLeftOut(t *testing.T) {
	bubble(t, 3, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for range 4 {
			callNode(t, p, "n01", Failed)
		}
		callNode(t, p, "n01", Succeeded)
		for range 4 {
			callNode(t, p, "n01", Failed)
		}
		wantChosen(t, p, "n00", "n01", "n02")
		callNode(t, p, "n01", Failed)
		wantChosen(t, p, "n00", "n02")
	})
}

func TestNodeWithAHighErrorRateIsLeftOut(t *testing.T) {
	bubble(t, 3, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for i := range 100 { // a third fails
			o := Succeeded
			if i%3 == 0 {
				o = Failed
			}
			if !callNode(t, p, "n01", o) {
				t.Fatalf("left out after %d calls", i)
			}
		}
		time.Sleep(11 * time.Second)
		for i := range 20 { // every second one fails
			wantChosen(t, p, "n00", "n01", "n02")
			callNode(t, p, "n01", Outcome(i%2))
		}
		wantChosen(t, p, "n00", "n02")
	})
}

func TestErrorsLeaveOutHalfOfTheNodesAtMost(t *testing.T) {
	bubble(t, 4, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for i := range 4 {
			for range 10 {
				callNode(t, p, fmt.Sprintf("n%02d", i), Failed)
			}
		}
		if got := chosen(t, p); len(got) != 2 {
			t.Errorf("chosen are %v, want two", got)
		}
	})
}

func TestIgnoredCallsSayNothing(t *testing.T) {
	bubble(t, 2, Health{Consecutive: 1}, func(t *testing.T, _ registry.Registry, p Picker) {
		for range 100 {
			callNode(t, p, "n00", Ignored)
		}
		wantChosen(t, p, "n00", "n01")
		for _, m := range poolOf(t, p).lists.Load().members {
			if m.InFlight() != 0 {
				t.Errorf("%d calls in flight", m.InFlight())
			}
		}
	})
}

func TestNewNodeGetsItsShareSlowly(t *testing.T) {
	bubble(t, 4, Health{}, func(t *testing.T, r registry.Registry, p Picker) {
		register(t, r, node(4))
		synctest.Wait()
		last := 0.0
		for _, tt := range []struct {
			after    time.Duration
			low, top float64 // part of the full share
		}{{0, 0.03, 0.2}, {5 * time.Second, 0.35, 0.65}, {5 * time.Second, 0.9, 1.1}} {
			time.Sleep(tt.after)
			n := 0
			for range 5000 {
				c := pick(t, p, Request{})
				c.Done(Ignored)
				if c.Node.Id == "n04" {
					n++
				}
			}
			if share := float64(n) / 1000; share < tt.low || share > tt.top || share < last {
				t.Errorf("%.2f of its share, want %v to %v", share, tt.low, tt.top)
			} else {
				last = share
			}
		}
	})
}

func TestFirstNodesGetTheirSharesAtOnce(t *testing.T) {
	bubble(t, 2, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
		for _, m := range poolOf(t, p).lists.Load().members {
			if m.warming.Load() != 0 {
				t.Errorf("%s starts slowly", m.Node.Id)
			}
		}
	})
}

func TestNodeThatComesBackElsewhereIsNew(t *testing.T) {
	bubble(t, 2, Health{}, func(t *testing.T, r registry.Registry, p Picker) {
		callNode(t, p, "n00", Unreachable)
		moved := node(0)
		moved.Nodes[0].Address = "10.9.9.9:80"
		register(t, r, moved)
		synctest.Wait()
		wantChosen(t, p, "n00", "n01")
	})
}

func TestChangedMetadataKeepWhatIsKnown(t *testing.T) {
	bubble(t, 2, Health{}, func(t *testing.T, r registry.Registry, p Picker) {
		callNode(t, p, "n00", Unreachable)
		register(t, r, node(0, "zone", "b"))
		synctest.Wait()
		wantChosen(t, p, "n01")
	})
}

func TestMarkLeavesOutWhatADialSaysIsGone(t *testing.T) {
	for name, err := range map[string]error{
		"unreachable": fmt.Errorf("status 105: %w", ErrUnreachable),
		"dial":        fmt.Errorf("status 105: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, Health{}, func(t *testing.T, _ registry.Registry, p Picker) {
				n := node(1).Nodes[0]
				p.Mark("foo", n, nil)
				p.Mark("foo", n, context.Canceled)
				p.Mark("foo", n, io.EOF)
				wantChosen(t, p, "n00", "n01", "n02")
				p.Mark("foo", n, err)
				p.Mark("foo", nil, err)
				p.Mark("unknown", n, err)
				wantChosen(t, p, "n00", "n02")
				p.Reset("foo")
				p.Reset("unknown")
				wantChosen(t, p, "n00", "n01", "n02")
			})
		})
	}
}

func TestAllMayHappenAtOnce(t *testing.T) {
	t.Parallel()
	r := memory.NewRegistry()
	register(t, r, node(0))
	for _, b := range balancers() {
		p := newPicker(t, r, OptBalancer(b), OptHealth(Health{EjectFor: time.Millisecond, SlowStart: time.Millisecond}))
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 300 {
					c, err := p.Pick(context.Background(), "foo", Request{Key: fmt.Sprint(j)})
					if err != nil {
						t.Error(err)
						return
					}
					c.Done(Outcome(j % 4))
					next, err := p.Select("foo", OptWithFilter(FilterVersion("1.0.0")))
					if err == nil {
						_, err = next()
					}
					if err != nil {
						t.Error(err)
					}
					if j%50 == 0 {
						register(t, r, node(i+1))
						p.Reset("foo")
						p.Mark("foo", c.Node, ErrUnreachable)
					}
					if j%70 == 0 {
						if err := r.Deregister(node(i + 1)); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		if got := poolOf(t, p).total.Load(); got != 0 {
			t.Errorf("%d calls in flight", got)
		}
	}
}
