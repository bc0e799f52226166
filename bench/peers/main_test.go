package peers

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelWarning)
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // libraries start some when they are loaded
}
