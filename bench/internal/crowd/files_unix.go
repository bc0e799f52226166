//go:build unix

package crowd

import "syscall"

// raiseFiles raises the limit of open files to n, or as far as this process may, and returns the limit.
func raiseFiles(n uint64) uint64 {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) != nil {
		return 1024 // what there is at least, everywhere
	}
	have, most := uint64(lim.Cur), uint64(lim.Max)
	if most < n && setFiles(n, n) { // only root may
		return n
	}
	if want := min(n, most); have < want && setFiles(want, most) {
		return want
	}
	return min(have, n)
}
