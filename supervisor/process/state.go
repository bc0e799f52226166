package process

import "slices"

// State is where a process stands.
type State int

// Stopped means: not started yet, or stopped by request. It alone has the type State, as it always had.
const Stopped State = 0

// The other states. They are untyped so that programs may compare them with a State and with an int.
const (
	// Starting means: started, but not up for the start seconds yet.
	Starting = 10
	// Running means: up for the start seconds.
	Running = 20
	// Backoff means: could not be started or ended too early; the next try follows after a pause.
	Backoff = 30
	// Stopping means: a stop was asked for, the program has not ended yet.
	Stopping = 40
	// Exited means: ended by itself after it was Running. The restart rule decides what follows.
	Exited = 100
	// Fatal means: could not be started; no more tries.
	Fatal = 200
	// Unknown means: killed, but not gone within the kill seconds, such as a program that hangs in a broken disk.
	Unknown = 1000
)

// states is the one table of states: their names, and which state may follow.
var states = map[State]struct {
	name string
	next []State
}{
	Stopped:  {"Stopped", []State{Starting}},
	Starting: {"Starting", []State{Running, Backoff, Stopping, Stopped}},
	Running:  {"Running", []State{Exited, Stopping}},
	Backoff:  {"Backoff", []State{Starting, Fatal, Stopped}},
	Stopping: {"Stopping", []State{Stopped, Unknown}},
	Exited:   {"Exited", []State{Starting, Stopped}},
	Fatal:    {"Fatal", []State{Starting}},
	Unknown:  {"Unknown", []State{Stopped, Exited, Backoff}},
}

// String returns the name of the state, "Unknown" for a number that is none.
func (s State) String() string {
	if entry, ok := states[s]; ok {
		return entry.name
	}
	return states[Unknown].name
}

// mayBecome tells whether next may follow s.
func (s State) mayBecome(next State) bool { return slices.Contains(states[s].next, next) }
