package dserver

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// beginAsInit starts the application as process 1 of a pid namespace of its own.
func (e *testEnv) beginAsInit(t *testing.T) *process {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a pid namespace needs root")
	}
	cmd := e.command("start")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	p, err := e.tryBegin(cmd)
	if err != nil {
		if strings.Contains(err.Error(), "not permitted") {
			t.Skip("pid namespaces are not permitted here")
		}
		t.Fatal(err)
	}
	return p
}
