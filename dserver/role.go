package dserver

import "github.com/osgochina/dmicro/graceful"

// The values that one process of an application passes to another; see graceful.Upgrader.Value.
const (
	valueRole    = "role"    // one of the roles below; none for a successor
	valueService = "service" // the service that a worker runs
	valueStopped = "stopped" // names of sandboxes, commas between, that were stopped by hand and stay so
	valueUnits   = "units"   // names of the sandboxes that the predecessor ran
	valueNumber  = "number"  // which one of its service a worker is
	valueStrict  = "strict"  // a worker that replaces another: no sandbox may fail
)

// role is what a process is in its application. A process is told; it never concludes it from something else.
type role string

const (
	roleFirst     role = ""          // started by a person or a service manager
	roleDaemon    role = "daemon"    // started by "start -d"
	roleSuccessor role = "successor" // takes over from the process that started it
	roleWorker    role = "worker"    // runs one service for a master
)

func roleOf(up *graceful.Upgrader) role {
	if r := role(up.Value(valueRole)); r != roleFirst {
		return r
	}
	if up.Generation() > 1 {
		return roleSuccessor
	}
	return roleFirst
}

// strict reports whether a sandbox that fails while the process starts makes the process fail: where somebody waits for
// the outcome, and has something to fall back on. A server that was started in the foreground runs with what it has.
func (r role) strict(up *graceful.Upgrader) bool {
	switch r {
	case roleFirst:
		return false
	case roleWorker:
		return up.Value(valueStrict) != ""
	}
	return true
}
