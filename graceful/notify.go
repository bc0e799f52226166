package graceful

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// notifyName is the variable in which systemd says where it listens.
const notifyName = "NOTIFY_SOCKET"

// What systemd is told, in the words of sd_notify(3).
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

// notifyWait bounds how long a service manager that does not read holds a process up. It is long: one that is told late
// is better than one that never hears of it.
const notifyWait = 10 * time.Second

func mainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// Notify tells the service manager something, in assignments such as "STATUS=warming up", as sd_notify(3) does. It
// reports false, and no error, when there is no service manager that wants to know (NOTIFY_SOCKET is not set).
//
// READY, RELOADING with its time, MAINPID and STOPPING are sent by Ready, Reload and Stop themselves, so a unit may
// have Type=notify or Type=notify-reload with the default NotifyAccess=main. Whether a notification arrives decides
// nothing: systemd has its own limits for a service that stays silent. A service manager that does not read is waited for
// 10 s at most.
func Notify(assignments ...string) (sent bool, err error) {
	path, ok := realSystem().lookupEnv(notifyName)
	if !ok || path == "" {
		return false, nil
	}
	return true, notify(path, notifyWait, assignments)
}

// NotifyReloading tells the service manager that this process reloads its configuration or its workers by itself, as
// Reload does for a process that is replaced. Follow it by Notify("READY=1"), however the reload went.
func NotifyReloading() (sent bool, err error) {
	return Notify(nonEmpty([]string{notifyReloading, monotonic()})...)
}

func notify(path string, limit time.Duration, assignments []string) error {
	if path[0] != '@' && path[0] != '/' {
		return fmt.Errorf("graceful: %s %q is not a socket of this machine", notifyName, path)
	}
	for _, a := range assignments {
		if strings.ContainsRune(a, '\n') {
			return fmt.Errorf("graceful: notification %q is more than one line", a)
		}
	}
	// A leading @ is what package net writes for an abstract socket, too.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("graceful: notify: %w", err)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(limit)) // fails only if closed
	_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("graceful: notify: %w", err)
	}
	return nil
}

// tell sends what systemd should know about this process. A worker is its master's business.
func (u *Upgrader) tell(assignments ...string) {
	path, ok := u.sys.lookupEnv(notifyName)
	if !ok || path == "" || u.worker {
		return
	}
	_ = notify(path, notifyWait, nonEmpty(assignments)) // see Notify: decides nothing
}

func nonEmpty(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
