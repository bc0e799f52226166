package graceful

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// ghttpName is the variable in which GoFrame's ghttp looks for inherited sockets.
const ghttpName = "GF_SERVER_RELOAD"

// minShutdown is the least that SetShutdown accepts as a limit, and the limit when it is not called.
const minShutdown = 15 * time.Second

// InheritAddr is an address for SetInheritListener.
type InheritAddr struct {
	Network    string      // tcp, tcp4, tcp6, unix, unixpacket, http or https
	Host       string      // host name or IP address, or the path of a unix socket
	Port       string      // a number that is not 0; not used for unix sockets
	TlsConfig  *tls.Config // must be there for https; the server that listens has its own
	ServerName string      // name of the ghttp server, for http and https; "default" if empty
}

// ghttpAddrs are the sockets of one ghttp server, in the form "ADDR#FD,ADDR#FD".
type ghttpAddrs struct {
	HTTP  string `json:"http"`
	HTTPS string `json:"https"`
}

// SetInheritListener binds addresses at the start of a program, or takes them over, before anybody listens on them: see
// [Upgrader.Hold]. Servers that listen with Listen on such an address get that socket. An address of network http or
// https goes to the ghttp server of that name, which finds it by itself; such a server accepts as soon as it is
// started, so ghttp.Server.SetListener with a listener of Listen is the better way.
//
// In DMicro 1.x this made the program a master with one worker; here the program is one process that is replaced on
// reload. Package dserver has a model with many processes.
func SetInheritListener(address []InheritAddr) error {
	u, err := Default()
	if err != nil {
		return err
	}
	return u.setInheritListener(address)
}

func (u *Upgrader) setInheritListener(address []InheritAddr) error {
	servers := make(map[string]ghttpAddrs)
	for _, a := range address {
		network, addr, err := a.resolve()
		if err != nil {
			return err
		}
		if err := u.Hold(context.Background(), network, addr); err != nil {
			return err
		}
		if a.Network == network {
			continue
		}
		item, err := u.ghttpItem(network, addr)
		if err != nil {
			return err
		}
		name := a.ServerName
		if name == "" {
			name = "default"
		}
		s := servers[name]
		if a.Network == "https" {
			s.HTTPS = appendItem(s.HTTPS, item)
		} else {
			s.HTTP = appendItem(s.HTTP, item)
		}
		servers[name] = s
	}
	if len(servers) == 0 {
		return nil
	}
	text, err := json.Marshal(servers)
	if err != nil {
		return fmt.Errorf("graceful: %w", err)
	}
	if err := u.sys.setEnv(ghttpName, string(text)); err != nil {
		return fmt.Errorf("graceful: %w", err)
	}
	return nil
}

// resolve checks an address and returns it as Hold takes it.
func (a InheritAddr) resolve() (network, addr string, err error) {
	fail := func(text string) (string, string, error) {
		return "", "", fmt.Errorf("graceful: inherit %s %s:%s: %s", a.Network, a.Host, a.Port, text)
	}
	network = a.Network
	if network == "http" || network == "https" {
		network = "tcp"
	}
	kind := kinds[network]
	switch {
	case isUnix(kind):
		return network, a.Host, nil
	case kind != "tcp":
		return fail("the network cannot be inherited in this way")
	case a.Network == "https" && a.TlsConfig == nil:
		return fail("https needs a TlsConfig")
	}
	if port, err := strconv.ParseUint(a.Port, 10, 16); err != nil || port == 0 {
		return fail("the port must be a number from 1 to 65535")
	}
	return network, net.JoinHostPort(a.Host, a.Port), nil
}

// ghttpItem returns a descriptor of a held socket in the form that ghttp reads. It belongs to ghttp from then on.
func (u *Upgrader) ghttpItem(network, addr string) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.find(network, addr, "", func(s *socket) bool { return s.held })
	if s == nil {
		return "", fmt.Errorf("graceful: %s is not held", addr)
	}
	fd, err := looseDescriptor(s.file)
	if err != nil {
		return "", fmt.Errorf("graceful: %s: %w", addr, err)
	}
	return addr + "#" + strconv.Itoa(fd), nil
}

func appendItem(list, item string) string {
	if list == "" {
		return item
	}
	return list + "," + item
}

// IsChild reports whether this process took over from another one, or is a worker.
func IsChild() bool {
	u, err := Default()
	return err == nil && u.generation > 1
}

// shutdownPlan is what SetShutdown sets.
type shutdownPlan struct {
	limit         time.Duration // 0 for none
	first, before func() error
	set           bool
}

// SetShutdown sets what GraceSignal and Shutdown do on leaving: firstSweep runs while listeners are still open,
// beforeExiting after they are closed; that is where to close what serves connections. Either may be nil. The limit
// of both together is timeout, 15 s at least; a negative timeout means no limit.
func SetShutdown(timeout time.Duration, firstSweepFunc func() error, beforeExitingFunc func() error) {
	if u, err := Default(); err == nil {
		u.setShutdown(timeout, firstSweepFunc, beforeExitingFunc)
	}
}

func (u *Upgrader) setShutdown(timeout time.Duration, first, before func() error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.shutdown = shutdownPlan{limit: max(timeout, minShutdown), first: first, before: before, set: true}
	if timeout < 0 {
		u.shutdown.limit = 0
	}
}

// GraceSignal says that the process is ready, waits as Run does, leaves as SetShutdown says, and ends the process: with
// exit code 0, or 1 and a line on the standard error if that failed or took longer than its limit. New programs use Run,
// which returns.
func GraceSignal() {
	u, err := Default()
	if err == nil {
		err = u.wait(context.Background(), nil)
	}
	if err != nil {
		realSystem().end(err)
		return
	}
	u.leave(0)
}

// Shutdown leaves as if a signal had asked GraceSignal to, and ends the process with the same exit codes. A timeout replaces
// the limit that SetShutdown set.
func Shutdown(timeout ...time.Duration) {
	u, err := Default()
	if err != nil {
		realSystem().end(err)
		return
	}
	var limit time.Duration
	if len(timeout) > 0 {
		limit = max(timeout[0], time.Millisecond)
	}
	u.leave(limit)
}

// leave runs the shutdown plan and ends the process. A limit of 0 is that of the plan.
func (u *Upgrader) leave(limit time.Duration) {
	u.mu.Lock()
	plan := u.shutdown
	u.mu.Unlock()
	if !plan.set {
		plan.limit = minShutdown
	}
	if limit > 0 {
		plan.limit = limit
	}
	var timeout <-chan time.Time
	if plan.limit > 0 {
		timeout = time.After(plan.limit)
	}
	done := make(chan error, 1)
	go func() { done <- errors.Join(call(plan.first), u.Stop(), call(plan.before)) }()
	select {
	case err := <-done:
		u.sys.end(err)
	case <-timeout:
		u.sys.end(fmt.Errorf("graceful: the shutdown took longer than %v", plan.limit))
	}
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}
