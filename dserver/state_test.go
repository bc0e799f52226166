package dserver

import "testing"

func TestEveryStateHasAWayOut(t *testing.T) {
	t.Parallel()
	states := []State{StatePreparing, StateRunning, StateStopping, StateStopped, StateBackoff, StateFatal}
	if len(transitions) != len(states) {
		t.Fatalf("the table has %d states, want %d", len(transitions), len(states))
	}
	for _, s := range states {
		if len(transitions[s]) == 0 {
			t.Errorf("no way out of %s", s)
		}
		for _, next := range transitions[s] {
			if transitions[next] == nil || next == s {
				t.Errorf("%s leads to %q", s, next)
			}
		}
	}
}

func TestTransitionsThatMustNotHappen(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]State{
		{StateStopped, StateRunning}, {StateStopped, StateStopping}, {StateStopping, StateRunning},
		{StateStopping, StatePreparing}, {StateRunning, StatePreparing}, {StateFatal, StateRunning},
	} {
		if err := pair[0].check(pair[1]); err == nil {
			t.Errorf("%s to %s is allowed", pair[0], pair[1])
		}
	}
}
