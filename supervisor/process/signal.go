package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// sigNum is what all systems have for a signal.
type sigNum = syscall.Signal

// ParseSignal reads a signal's name with or without SIG, in either case, or its number. On Windows only HUP, INT, QUIT, KILL
// and TERM are known, and each of them ends a program at once.
func ParseSignal(text string) (os.Signal, error) {
	s, err := parseSignal(text)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func parseSignal(text string) (sigNum, error) {
	name := strings.ToUpper(strings.TrimSpace(text))
	if n, err := strconv.ParseUint(name, 10, 7); err == nil && n >= 1 && n <= maxSignal {
		return sigNum(n), nil
	}
	if s := signalNumber("SIG" + strings.TrimPrefix(name, "SIG")); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("process: there is no signal %q", text)
}
