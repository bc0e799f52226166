package drpc

import (
	"math/rand/v2"
	"testing"
)

func pendingCall(seq int32) *callCmd {
	c := new(callCmd)
	c.output.SetSeq(seq)
	return c
}

func TestPendingKeepsCallsThatOutliveATurnOfTheTable(t *testing.T) {
	t.Parallel()
	var p pending
	calls := map[int32]*callCmd{}
	// Slow calls whose sequence numbers share a slot, however large the table has become.
	for seq := int32(0); seq < 40; seq++ {
		calls[seq<<20] = pendingCall(seq << 20)
	}
	for seq, c := range calls {
		if !p.add(seq, c) {
			t.Fatal("an open table refuses a call")
		}
	}
	for seq := int32(1); seq < 10_000; seq++ { // quick ones that come and go meanwhile
		c := pendingCall(seq)
		if !p.add(seq, c) || p.take(seq) != c || p.take(seq) != nil {
			t.Fatalf("call %d is lost", seq)
		}
	}
	if p.n != len(calls) {
		t.Errorf("%d calls are counted, %d are there", p.n, len(calls))
	}
	for seq, c := range calls {
		if p.take(seq) != c {
			t.Errorf("slow call %d is lost", seq)
		}
	}
	if p.n != 0 || len(p.overflow) != 0 {
		t.Errorf("%d calls are counted in an empty table, %d lie beside it", p.n, len(p.overflow))
	}
}

func TestPendingAgainstAMap(t *testing.T) {
	t.Parallel()
	var p pending
	model := map[int32]*callCmd{}
	rnd := rand.New(rand.NewPCG(1, 2))
	next := int32(1<<31 - 5000) // so that the numbers wrap
	for range 50_000 {
		if rnd.IntN(100) < 51 {
			c := pendingCall(next)
			p.add(next, c)
			model[next] = c
			next++
			continue
		}
		seq := next - 1 - rnd.Int32N(400)
		if got := p.take(seq); got != model[seq] {
			t.Fatalf("take(%d) gives %v, want %v", seq, got, model[seq])
		}
		delete(model, seq)
		if p.n != len(model) {
			t.Fatalf("%d calls are counted, %d are there", p.n, len(model))
		}
	}
	if len(p.slots) > 1<<16 {
		t.Errorf("%d slots for %d calls", len(p.slots), len(model))
	}
	left := p.close()
	if len(left) != len(model) {
		t.Errorf("close gives %d calls, want %d", len(left), len(model))
	}
	for _, c := range left {
		if model[c.output.Seq()] != c {
			t.Errorf("close gives a call that was not there: %d", c.output.Seq())
		}
	}
	if p.add(1, pendingCall(1)) || p.take(1) != nil || p.n != 0 || len(p.close()) != 0 {
		t.Error("a closed table takes calls")
	}
}
