package process

import "syscall"

// dieWithUs has the system kill the program when the thread that starts it ends.
func dieWithUs(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
