//go:build !linux && !windows

package dserver

import "testing"

func (e *testEnv) beginAsInit(t *testing.T) *process {
	t.Helper()
	t.Skip("there are no pid namespaces")
	return nil
}

const traitInit = "init"

func mountProc() {}

func refusesEarly(*testing.T) bool { return false }
