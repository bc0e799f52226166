package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	notify "os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reapInterval is the least time between two looks at the children. An orphan is reaped at the second look that finds it
// dead: one of our own children has mostly been waited for then by whoever started it.
const reapInterval = time.Second

// ReapOrphans adopts the orphans among the descendants of this process, as process 1 does anyhow, and removes those that have
// died from the table of processes, a second after their death or two, until ctx ends; it returns nil then. Programs that
// this process has started itself are left to whoever waits for them: those of os and os/exec, however late that is; others
// (syscall.ForkExec, C code, Linux before 5.4) only if it does so within a second of their end. The error says that /proc is
// missing or belongs to another pid namespace; on other systems than Linux it wraps errors.ErrUnsupported.
func ReapOrphans(ctx context.Context) error {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return errors.Join(errors.New("process: /proc does not show this process"), err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("process: %w", os.NewSyscallError("prctl", err))
	}
	died := make(chan os.Signal, 1)
	notify.Notify(died, unix.SIGCHLD)
	defer notify.Stop(died)
	var dead map[zombie]bool
	for {
		dead = reap(dead)
		if len(dead) == 0 {
			select { // nothing to come back for before somebody dies
			case <-died:
			case <-ctx.Done():
			}
		}
		select {
		case <-time.After(reapInterval): // a ticker's next tick might follow the last look at once
		case <-ctx.Done():
			return nil
		}
	}
}

// zombie is a dead child. Pids are used again; a start time is not.
type zombie struct {
	pid     int
	started string
}

// reap removes the dead children that were dead before, and returns the others.
func reap(before map[zombie]bool) map[zombie]bool {
	now := map[zombie]bool{}
	awaited := sync.OnceValue(awaitedChildren)     // costs as much as we have descriptors
	stats, _ := filepath.Glob("/proc/[1-9]*/stat") // the pattern is good
	for _, name := range stats {
		z, dead := readStat(name, os.Getpid())
		switch {
		case !dead:
		case before[z] && !awaited()[z.pid]:
			_, _ = unix.Wait4(z.pid, nil, unix.WNOHANG, nil) // it is dead, and if it is gone so much the better
		default:
			now[z] = true
		}
	}
	return now
}

// awaitedChildren are the programs of this process that package os keeps a descriptor of, from their start until somebody has
// waited for them or nobody can any more.
func awaitedChildren() map[int]bool {
	const dir = "/proc/self"
	awaited := map[int]bool{}
	fds, _ := os.ReadDir(dir + "/fd") // ReapOrphans has looked whether there is a /proc
	for _, fd := range fds {
		kind, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if err != nil || !strings.Contains(kind, "pidfd") { // anon_inode:[pidfd], or pidfd:[17] since Linux 6.9
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "fdinfo", fd.Name()))
		if pid, ok := parsePidfd(text); ok && err == nil {
			awaited[pid] = true
		}
	}
	return awaited
}

// parsePidfd finds the pid in what /proc tells of a descriptor of a process; it is -1 when the process is no more.
func parsePidfd(text []byte) (pid int, ok bool) {
	for line := range bytes.Lines(text) {
		if number, found := bytes.CutPrefix(line, []byte("Pid:")); found {
			pid, err := strconv.Atoi(string(bytes.TrimSpace(number)))
			return pid, err == nil && pid > 0
		}
	}
	return 0, false
}

// readStat reads a stat file of /proc and tells whether it is of a dead child of that parent.
func readStat(name string, parent int) (zombie, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return zombie{}, false // gone
	}
	return parseStat(text, parent)
}

// parseStat knows that the second field is a name in parentheses in which anything may stand.
func parseStat(text []byte, parent int) (zombie, bool) {
	const state, ppid, startTime = 0, 1, 19 // counted after the name
	number, _, _ := bytes.Cut(text, []byte(" "))
	pid, err := strconv.Atoi(string(number))
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if err != nil || pid < 1 || len(fields) <= startTime {
		return zombie{}, false
	}
	dead := string(fields[state]) == "Z" && string(fields[ppid]) == strconv.Itoa(parent)
	return zombie{pid, string(fields[startTime])}, dead
}
