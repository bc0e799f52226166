package graceful

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// monotonic is the time that goes with RELOADING=1: systemd knows by it which reload an answer belongs to.
func monotonic() string {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return ""
	}
	return "MONOTONIC_USEC=" + strconv.FormatInt(ts.Nano()/1000, 10)
}
