package dserver

import "syscall"

// multiSupported says whether a master can hand sockets to its workers here.
const multiSupported = false

func ownSession() *syscall.SysProcAttr { return nil }
