package metrics

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // failures are caused on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
