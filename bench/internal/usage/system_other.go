//go:build !unix

package usage

import "time"

// system has nobody to ask.
func system() (cpu time.Duration, peak uint64) { return 0, 0 }
