package selector

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/osgochina/dmicro/internal/clock"
)

// Balancer is a way of choosing. One value serves many services.
type Balancer interface {
	// Build is called when the nodes that may be chosen change. There is at least one, sorted by service version and node id.
	// previous is what Build returned before for the same service, or nil.
	Build(members []*Member, previous Chooser) Chooser
	// String returns the name.
	String() string
}

// Chooser chooses among the members it was built of. It is called concurrently, for each call, and must not block.
type Chooser interface {
	// Choose returns a member. If it does not suit, Choose is called again with a higher Attempt.
	Choose(r Request) *Member
}

// Sticky is implemented by Choosers that prefer to send equal keys to the same node over anything else: new nodes get
// their full share at once.
type Sticky interface{ Sticky() }

// UniformRandom returns the Balancer that gives all nodes the same chance.
func UniformRandom() Balancer { return builder{"random", buildRandom} }

// RoundRobin returns the Balancer that takes one node after the other.
func RoundRobin() Balancer { return builder{"round robin", buildRoundRobin} }

// Weighted returns the Balancer that chooses at random by Member.Weight.
func Weighted() Balancer { return builder{"weighted", buildWeighted} }

// LeastLoad returns the Balancer that draws two nodes and takes the one with the lower load: its latency times the calls
// that it is working on, divided by its weight. It knows of the calls that are made with Pick only.
func LeastLoad() Balancer { return builder{"least load", buildLeastLoad} }

// builder is a Balancer that needs no settings.
type builder struct {
	name  string
	build func(members []*Member) Chooser
}

func (b builder) String() string                             { return b.name }
func (b builder) Build(members []*Member, _ Chooser) Chooser { return b.build(members) }

type random struct{ members []*Member }

func buildRandom(members []*Member) Chooser { return &random{members} }

func (c *random) Choose(Request) *Member { return c.members[rand.IntN(len(c.members))] }

type roundRobin struct {
	members []*Member
	next    atomic.Uint32
}

func buildRoundRobin(members []*Member) Chooser {
	c := &roundRobin{members: members}
	c.next.Store(rand.Uint32()) // clients that start together begin with different nodes
	return c
}

func (c *roundRobin) Choose(Request) *Member {
	return c.members[c.next.Add(1)%uint32(len(c.members))]
}

// weighted is an alias table: a column for each node, filled up by at most one other node.
type weighted struct{ columns []column }

type column struct {
	own, other *Member
	share      uint32 // of own, in 1/2^32
}

func buildWeighted(members []*Member) Chooser {
	n, total := len(members), 0.0
	for _, m := range members {
		total += m.weight
	}
	if total == 0 { // then zero says nothing
		return buildRandom(members)
	}
	left := make([]float64, n) // in columns
	var low, high []int
	for i, m := range members {
		if left[i] = m.weight * float64(n) / total; left[i] < 1 {
			low = append(low, i)
		} else {
			high = append(high, i)
		}
	}
	c := &weighted{make([]column, n)}
	for len(low) > 0 && len(high) > 0 {
		l, h := low[len(low)-1], high[len(high)-1]
		low = low[:len(low)-1]
		c.columns[l] = column{members[l], members[h], uint32(left[l] * math.MaxUint32)}
		if left[h] -= 1 - left[l]; left[h] < 1 {
			high = high[:len(high)-1]
			low = append(low, h)
		}
	}
	for _, i := range append(low, high...) { // full but for rounding
		c.columns[i] = column{members[i], members[i], math.MaxUint32}
	}
	return c
}

func (c *weighted) Choose(Request) *Member {
	r := rand.Uint64()
	col := &c.columns[(r>>32)*uint64(len(c.columns))>>32]
	if uint32(r) < col.share {
		return col.own
	}
	return col.other
}

// clearly is how much lower a load must be to make a difference. Without it the noise of the averages would decide.
const clearly = 1.25

type leastLoad struct{ members []*Member }

func buildLeastLoad(members []*Member) Chooser { return &leastLoad{members} }

func (c *leastLoad) Choose(r Request) *Member {
	n := len(c.members)
	if n == 1 {
		return c.members[0]
	}
	i, j := rand.IntN(n), rand.IntN(n-1)
	if j >= i {
		j++
	}
	now := r.now
	if now == 0 {
		now = clock.Now()
	}
	a, b := c.members[i], c.members[j]
	if b.load(now)*clearly < a.load(now) {
		return b
	}
	return a
}

// maxWeight keeps sums of weights exact.
const maxWeight = 1e6

// weightOf reads the metadata "weight" of a node: a number from 0 to a million, 1 if there is none or it is no such number.
// Zero means no calls as long as other nodes have more.
func weightOf(metadata map[string]string) float64 {
	w, err := strconv.ParseFloat(metadata["weight"], 64)
	if err != nil || !(w >= 0 && w <= maxWeight) {
		return 1
	}
	return w
}
