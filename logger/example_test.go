package logger_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/osgochina/dmicro/logger"
)

// collector is a handler that keeps the lines of a level.
type collector struct {
	level int
	lines []string // this example logs from one goroutine; others need a mutex
}

func (c *collector) Log(level int, v ...interface{}) {
	if level == c.level {
		c.lines = append(c.lines, fmt.Sprint(v...))
	}
}

func (c *collector) LogF(level int, format string, v ...interface{}) {
	c.Log(level, fmt.Sprintf(format, v...))
}

// A handler gets a copy of every line, for example to count errors or to send them elsewhere.
func ExampleAddHandler() {
	logger.SetStdoutPrint(false)
	defer logger.SetStdoutPrint(true)
	errors := &collector{level: logger.LevelError}
	logger.AddHandler("collector", errors)
	defer logger.RemoveHandler("collector")

	ctx := context.Background()
	logger.Info(ctx, "started")
	logger.Errorf(ctx, "disk %s is %d %% full", "/dev/sda", 99)
	fmt.Println(strings.Join(errors.lines, "\n"))
	// Output: disk /dev/sda is 99 % full
}
