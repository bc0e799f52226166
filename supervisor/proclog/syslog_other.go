//go:build windows || plan9

package proclog

import (
	"errors"
	"fmt"
)

func openSyslog(_, _, _ string) (Logger, error) {
	return nil, fmt.Errorf("proclog: no system log on this system: %w", errors.ErrUnsupported)
}
