package load

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/bench/peers"
)

func TestBucketsFollowEachOther(t *testing.T) {
	t.Parallel()
	for i := 1; i < buckets; i++ {
		low := bucketLow(i)
		if bucketLow(i-1) >= low || bucketOf(low) != i || bucketOf(low-1) != i-1 {
			t.Fatalf("bucket %d begins at %d, which is in bucket %d; one less in %d", i, low, bucketOf(low), bucketOf(low-1))
		}
	}
	for _, d := range []time.Duration{math.MinInt64, -1, math.MaxInt64} {
		if b := bucketOf(d); b < 0 || b >= buckets {
			t.Errorf("%d is in bucket %d of %d", d, b, buckets)
		}
	}
}

func TestQuantilesAreThoseOfTheSortedDurations(t *testing.T) {
	t.Parallel()
	var h, half Hist
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(math.Exp(rand.Float64()*16) * 100)
		all = append(all, d)
		if i%2 == 0 {
			h.Record(d)
		} else {
			half.Record(d)
		}
	}
	h.Add(&half)
	slices.Sort(all)
	if h.Count() != uint64(len(all)) {
		t.Fatalf("counted %d of %d", h.Count(), len(all))
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > float64(want)/sub {
			t.Errorf("the %v quantile is %v, want %v", q, got, want)
		}
	}
	if got := new(Hist).Quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

// mirror is a peer without a network.
type mirror struct {
	echo   func(body []byte, call int64) ([]byte, error)
	calls  *atomic.Int64
	closed *atomic.Int64
}

func (m mirror) Caller(body []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return m.echo(body, m.calls.Add(1)) }
}

func (m mirror) Close() error {
	m.closed.Add(1)
	return nil
}

func mirrors(echo func(body []byte, call int64) ([]byte, error)) (p peers.Peer, calls, closed *atomic.Int64) {
	calls, closed = new(atomic.Int64), new(atomic.Int64)
	return peers.Peer{Dial: func(string) (peers.Client, error) { return mirror{echo, calls, closed}, nil }}, calls, closed
}

func TestRunCountsEveryCall(t *testing.T) {
	t.Parallel()
	p, calls, closed := mirrors(func(body []byte, _ int64) ([]byte, error) {
		time.Sleep(100 * time.Microsecond) // what a network takes
		return slices.Clone(body), nil
	})
	l, err := Open(p, "", Shape{Conns: 2, Callers: 5, Body: 100})
	if err != nil {
		t.Fatal(err)
	}
	before := calls.Load()
	out, err := l.Run(20 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if made := calls.Load() - before; out.Calls != uint64(made) || made < 5 {
		t.Errorf("counted %d of %d calls", out.Calls, made)
	}
	if p50 := out.Latencies.Quantile(0.5); p50 < 90*time.Microsecond || out.Elapsed < 20*time.Millisecond {
		t.Errorf("calls of 100µs took %v, 20ms of them %v", p50, out.Elapsed)
	}
	if err := l.Close(); err != nil || closed.Load() != 2 {
		t.Errorf("closed %d of 2 connections: %v", closed.Load(), err)
	}
}

func TestEveryCallerCallsHoweverShortTheTime(t *testing.T) {
	t.Parallel()
	p, calls, _ := mirrors(func(body []byte, _ int64) ([]byte, error) { return slices.Clone(body), nil })
	l, err := Open(p, "", Shape{Conns: 1, Callers: 3, Body: 1})
	if err != nil {
		t.Fatal(err)
	}
	before := calls.Load()
	if out, err := l.Run(0); err != nil || out.Calls != 3 || calls.Load() != before+3 {
		t.Errorf("three callers made %d calls and counted %d, %v", calls.Load()-before, out.Calls, err)
	}
}

func TestWhatIsNoEchoIsNoticed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		body int
		bad  func([]byte) ([]byte, error)
		want string
	}{
		{"short", 100, func(b []byte) ([]byte, error) { return b[:99], nil }, "got 99 back"},
		{"first byte", 100, func(b []byte) ([]byte, error) { b[0]++; return b, nil }, "came back as others"},
		{"last byte", 100, func(b []byte) ([]byte, error) { b[99]++; return b, nil }, "came back as others"},
		{"one byte", 1, func(b []byte) ([]byte, error) { b[0]++; return b, nil }, "came back as others"},
		{"another caller's", 100, func([]byte) ([]byte, error) { return pattern(7, 100), nil }, "came back as others"},
		{"error", 100, func([]byte) ([]byte, error) { return nil, errors.New("no") }, "call: no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The first call of each of the two callers is right, so that the fault is one of running.
			p, _, _ := mirrors(func(body []byte, call int64) ([]byte, error) {
				if call <= 3 {
					return slices.Clone(body), nil
				}
				return c.bad(slices.Clone(body))
			})
			l, err := Open(p, "", Shape{Conns: 1, Callers: 2, Body: c.body})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Run(time.Minute); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestOpenFailsWithoutAnEcho(t *testing.T) {
	t.Parallel()
	p, _, closed := mirrors(func([]byte, int64) ([]byte, error) { return nil, errors.New("no") })
	if _, err := Open(p, "", Shape{Conns: 3, Callers: 3, Body: 1}); err == nil || closed.Load() != 3 {
		t.Errorf("opened with %v and closed %d of 3 connections", err, closed.Load())
	}
}
