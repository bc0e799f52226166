//go:build !windows && !plan9

package proclog

import (
	"bytes"
	"errors"
	"fmt"
	"log/syslog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dialLimit bounds how long a writer waits for a remote system log.
	dialLimit = 2 * time.Second
	// dialPause lies between two tries; what is written meanwhile is lost, as the error says.
	dialPause = 5 * time.Second
)

// errSyslogDown is what a write returns while the next try is not due.
var errSyslogDown = errors.New("proclog: the system log cannot be reached")

// sysLogger sends each line as a message.
type sysLogger struct {
	unkept
	dial func(tag string) (*syslog.Writer, error)
	name string

	// Not under the lock, which a write that hangs has.
	pid    atomic.Int64
	closed atomic.Bool

	mu     sync.Mutex // held through a write, however long it takes
	out    *syslog.Writer
	shown  int64 // the pid that out shows
	nextAt time.Time
}

func openSyslog(network, address, name string) (Logger, error) {
	l := &sysLogger{name: name}
	l.dial = func(tag string) (*syslog.Writer, error) {
		if err := probe(network, address); err != nil {
			return nil, err
		}
		return syslog.Dial(network, address, syslog.LOG_INFO|syslog.LOG_DAEMON, tag)
	}
	return l, nil
}

// probe finds a host that does not answer within dialLimit; the syslog package itself would wait for minutes.
func probe(network, address string) error {
	if network != "tcp" {
		return nil
	}
	c, err := net.DialTimeout(network, address, dialLimit)
	if err != nil {
		return err
	}
	return c.Close()
}

// SetPid makes the following messages carry "name(pid)"; the pid in brackets that the syslog package adds is our own.
func (l *sysLogger) SetPid(pid int) { l.pid.Store(int64(pid)) }

func (l *sysLogger) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.connect(); err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		if _, err := l.out.Write(line); err != nil { // it has tried to connect once more
			l.drop()
			l.nextAt = time.Now().Add(dialPause)
			return 0, fmt.Errorf("proclog: %w", err)
		}
	}
	return len(b), nil
}

func (l *sysLogger) connect() error {
	if pid := l.pid.Load(); pid != l.shown {
		l.drop()
		l.shown = pid
	}
	switch {
	case l.closed.Load():
		return fmt.Errorf("proclog: the system log: %w", net.ErrClosed)
	case l.out != nil:
		return nil
	case time.Now().Before(l.nextAt):
		return errSyslogDown
	}
	out, err := l.dial(l.tag())
	if err != nil {
		l.nextAt = time.Now().Add(dialPause)
		return fmt.Errorf("%w: %w", errSyslogDown, err)
	}
	l.out = out
	return nil
}

func (l *sysLogger) tag() string {
	if l.shown == 0 {
		return l.name
	}
	return l.name + "(" + strconv.FormatInt(l.shown, 10) + ")"
}

func (l *sysLogger) drop() {
	if l.out != nil {
		_ = l.out.Close() // nothing is buffered in it
		l.out = nil
	}
}

// Close waits for nothing: a write that hangs must not hold up who stops a program.
func (l *sysLogger) Close() error {
	l.closed.Store(true)
	if l.mu.TryLock() {
		defer l.mu.Unlock()
		l.drop()
		return nil
	}
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.drop()
	}()
	return nil
}
