package dserver

import (
	"fmt"
	"slices"
)

// State is where a sandbox is in its life.
type State string

// The states of a sandbox. Their text is what ctl shows.
const (
	StatePreparing State = "Preparing" // about to be set up
	StateRunning   State = "Running"   // Setup is at work, or has returned without an error
	StateStopping  State = "Stopping"  // Shutdown was called and has not finished
	StateStopped   State = "Stopped"   // never started, shut down, or Setup returned an error
	StateBackoff   State = "Backoff"   // failed, waits for the next attempt of a supervisor
	StateFatal     State = "Fatal"     // panicked, or given up by a supervisor
)

// transitions is every allowed change of state.
//
// Running and Stopping say what the server asked for; whether the business
// inside is well is for the sandbox to tell.
var transitions = map[State][]State{
	StateStopped:   {StatePreparing},
	StatePreparing: {StateRunning, StateStopped, StateFatal},
	StateRunning:   {StateStopping, StateStopped, StateBackoff, StateFatal},
	StateStopping:  {StateStopped, StateFatal},
	StateBackoff:   {StatePreparing, StateStopped, StateFatal},
	StateFatal:     {StatePreparing},
}

// check says whether a sandbox may go from s to next.
func (s State) check(next State) error {
	if slices.Contains(transitions[s], next) {
		return nil
	}
	return fmt.Errorf("no way from state %s to %s", s, next)
}

// active reports whether the sandbox has work that a stop must end.
func (s State) active() bool {
	return s == StatePreparing || s == StateRunning || s == StateStopping
}
