//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// endTogether makes all processes of the browser end with the first one.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
