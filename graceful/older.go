package graceful

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The variables by which DMicro 1.x hands its sockets to the next process. They are read, so that a program can be
// updated from it without losing a connection, and never written.
const (
	olderChildName   = "GRACEFUL_IS_CHILD"
	olderSocketsName = "GRACEFUL_INHERIT_LISTEN_PARENT_ADDR"
	olderMasterName  = "DServerMultiMasterProcess" // "false" in a worker
)

// olderNetworks maps the keys of olderSocketsName, under which unix sockets are "tcp", too.
var olderNetworks = map[string]string{"tcp": "tcp", "quic": "udp", "kcp": "udp"}

// olderSocket is one "ADDR#FD".
type olderSocket struct {
	network string
	addr    string
	fd      int
}

// inheritOlder takes over from a DMicro 1.x process, if there is one.
func (u *Upgrader) inheritOlder() error {
	isChild, _ := u.sys.lookupEnv(olderChildName)
	text, ok := u.sys.lookupEnv(olderSocketsName)
	if isChild != "true" || !ok || !u.sys.supported {
		return nil
	}
	role, _ := u.sys.lookupEnv(olderMasterName)
	for _, name := range []string{olderChildName, olderSocketsName} {
		if err := u.sys.unsetEnv(name); err != nil {
			return fmt.Errorf("graceful: %w", err)
		}
	}
	sockets, err := parseOlder(text)
	if err != nil {
		return err
	}
	u.worker = role == "false"
	for _, s := range sockets {
		// The variable may have come down from an ancestor: only a descriptor that is what it says is taken.
		network, addr, err := u.sys.socketAt(s.fd)
		if err != nil || olderKind(network) != s.network || canonical(network, addr) != canonical(network, s.addr) {
			continue
		}
		u.sockets = append(u.sockets, &socket{
			network: network, ask: s.addr, addr: addr, held: u.worker, lent: true, file: u.sys.adopt(s.fd, s.addr),
		})
	}
	u.generation = 2
	u.parent = older{sys: u.sys, worker: u.worker}
	return nil
}

func olderKind(network string) string {
	if isUnix(network) {
		return "tcp"
	}
	return network
}

// parseOlder reads {"tcp":"ADDR#FD,ADDR#FD","quic":"","kcp":""}.
func parseOlder(text string) ([]olderSocket, error) {
	if len(text) > maxEnvelope {
		return nil, fmt.Errorf("graceful: %s is too long", olderSocketsName)
	}
	var lists map[string]string
	if err := json.Unmarshal([]byte(text), &lists); err != nil {
		return nil, fmt.Errorf("graceful: %s: %w", olderSocketsName, err)
	}
	var sockets []olderSocket
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		for item := range strings.SplitSeq(lists[key], ",") {
			if item == "" {
				continue
			}
			at := strings.LastIndexByte(item, '#')
			if at <= 0 || olderNetworks[key] == "" {
				return nil, fmt.Errorf("graceful: %s: %q is not ADDR#FD", olderSocketsName, item)
			}
			fd, err := strconv.Atoi(item[at+1:])
			if err != nil || fd < firstFD || fd > firstFD+maxDescriptors {
				return nil, fmt.Errorf("graceful: %s: %q has no descriptor", olderSocketsName, item)
			}
			sockets = append(sockets, olderSocket{network: olderNetworks[key], addr: item[:at], fd: fd})
		}
	}
	return sockets, nil
}

// older is a predecessor that goes on accepting until it gets a SIGTERM.
type older struct {
	nobody
	sys    system
	worker bool
}

func (o older) takeOver() (bool, error) {
	if pid := o.sys.parent(); pid > 1 && !o.worker {
		if err := o.sys.terminate(pid); err != nil {
			return false, fmt.Errorf("graceful: end the predecessor, process %d: %w", pid, err)
		}
	}
	return false, nil
}
