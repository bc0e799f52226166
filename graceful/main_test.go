package graceful

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleName) != "" {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}

// prompt is how long a test waits for what has to happen within a limit. The limit itself is for the long tests, which
// have the machine to themselves.
func prompt(limit time.Duration) time.Duration {
	if os.Getenv("DMICRO_SOAK") != "" {
		return limit
	}
	return max(limit, time.Minute)
}
