// Package instance is one running copy of an application as the operating
// system sees it: a private run directory, the pid file that stays locked for
// as long as the process lives, and the control socket.
//
// Whether an application runs is decided by the lock, never by the number in
// the file: the kernel drops a lock when its holder dies, so a pid file left
// behind by a killed process is recovered by the next start, and a process
// that merely got the same number later is never signalled.
//
// Everything here is refused rather than repaired when it belongs to another
// user or is not what it should be (a link, a directory others may write, a
// file that holds something else than a pid).
//
// The functions keep no state of their own and may be used concurrently.
package instance
