package selector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
)

const (
	slotBits = 16
	slots    = 1 << slotBits
	// maxProbes bounds the search for a node that is not too busy.
	maxProbes = 64
	// DefaultLoad is the load factor of ConsistentHash(0).
	DefaultLoad = 1.25
)

// ConsistentHash returns the Balancer that sends calls with the same Request.Key to the same node as long as it is there;
// when a node leaves or comes only its keys move. All clients that know the same nodes choose alike. Calls without
// a key go anywhere.
//
// A node that has more than load times the average of calls in flight passes keys on to others, always to the same ones.
// load is at least 1; 0 means DefaultLoad. It counts the calls that are made with Pick only.
func ConsistentHash(load float64) Balancer {
	switch {
	case load == 0:
		load = DefaultLoad
	case !(load >= 1):
		load = 1
	}
	return hashing{load}
}

type hashing struct{ load float64 }

func (h hashing) String() string { return fmt.Sprintf("consistent hash, load %g", h.load) }

// ring maps slots, of which every key has one, to members. The member with the highest score of a slot has it, so that
// no slot changes its owner unless the owner leaves or somebody with a higher score comes.
type ring struct {
	load    float64
	members []*Member
	hashes  []uint64 // of the members
	owner   []uint16 // index of the member by slot
	total   *atomic.Int64
}

// Sticky implements Sticky.
func (*ring) Sticky() {}

// Build implements Balancer.
func (h hashing) Build(members []*Member, previous Chooser) Chooser {
	if len(members) >= slots { // the rest would have no slot anyway
		members = members[:slots-1]
	}
	r := &ring{h.load, members, hashesOf(members), make([]uint16, slots), members[0].total}
	if old, ok := previous.(*ring); ok {
		r.inherit(old)
		return r
	}
	for slot := range r.owner {
		r.owner[slot] = best(slot, r.hashes)
	}
	return r
}

// hashesOf returns the hash of each id. Equal ids, which different versions may have, get different ones.
func hashesOf(members []*Member) []uint64 {
	hashes, seen := make([]uint64, len(members)), make(map[uint64]bool, len(members))
	for i, m := range members {
		h := hashString(m.Node.Id)
		for seen[h] {
			h = mix(h + 1)
		}
		hashes[i], seen[h] = h, true
	}
	return hashes
}

func score(slot int, member uint64) uint64 { return mix(member ^ uint64(slot)*0x9e3779b97f4a7c15) }

// best returns which of the members with these hashes has the slot.
func best(slot int, hashes []uint64) uint16 {
	best, top := 0, uint64(0)
	for i, h := range hashes {
		if s := score(slot, h); s >= top {
			best, top = i, s
		}
	}
	return uint16(best)
}

// inherit takes over from old what need not be computed again.
func (r *ring) inherit(old *ring) {
	at := make(map[uint64]int, len(r.hashes))
	for i, h := range r.hashes {
		at[h] = i
	}
	moved := make([]int, len(old.hashes)) // from old index to new, -1 if it left
	known := make([]bool, len(r.hashes))
	for i, h := range old.hashes {
		j, stays := at[h]
		if moved[i] = -1; stays {
			moved[i], known[j] = j, true
		}
	}
	var added []uint64
	var index []int
	for i, h := range r.hashes {
		if !known[i] {
			added, index = append(added, h), append(index, i)
		}
	}
	for slot := range r.owner {
		owner := moved[old.owner[slot]]
		if owner < 0 {
			r.owner[slot] = best(slot, r.hashes)
			continue
		}
		if len(added) > 0 {
			if rival := best(slot, added); score(slot, added[rival]) > score(slot, r.hashes[owner]) {
				owner = index[rival]
			}
		}
		r.owner[slot] = uint16(owner)
	}
}

// Choose implements Chooser.
func (r *ring) Choose(q Request) *Member {
	h := rand.Uint64()
	if q.Key != "" {
		h = hashString(q.Key)
	}
	limit := int64(math.Ceil(r.load * float64(r.total.Load()+1) / float64(len(r.members))))
	first := r.at(h, q.Attempt)
	for m, i := first, q.Attempt; ; m = r.at(h, i) {
		if m.inFlight.Load() < limit {
			return m
		}
		if i++; i > q.Attempt+maxProbes {
			return first
		}
	}
}

// at returns the member of the i-th slot of a key.
func (r *ring) at(h uint64, i int) *Member {
	return r.members[r.owner[mix(h+uint64(i)*0xd1342543de82ef95)>>(64-slotBits)]]
}

// hashString is FNV-1a with a better end. It must not change: clients of different versions shall choose alike.
func hashString(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h)
}

// mix lets every bit of the input reach every bit of the output.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
