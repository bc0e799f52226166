package graceful

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleName) != "" {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}
