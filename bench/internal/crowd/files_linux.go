package crowd

import "syscall"

func setFiles(cur, most uint64) bool {
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: cur, Max: most}) == nil
}
