package logger

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// endEnv names the function that a re-executed test binary ends by; see TestFatalEndsTheProcess.
const endEnv = "LOGGER_TEST_END"

func TestMain(m *testing.M) {
	if end, ok := endings[os.Getenv(endEnv)]; ok {
		end(context.Background())
		os.Exit(0) // a Fatal that returns is a failure the parent sees by this status
	}
	goleak.VerifyTestMain(m, processLong()...)
}

// processLong are the goroutines that GoFrame starts once and keeps as long as the process: those of its init
// functions, the worker for asynchronous lines, and the watcher of open log files.
func processLong() []goleak.Option {
	options := []goleak.Option{goleak.IgnoreCurrent()}
	for _, function := range []string{
		"github.com/gogf/gf/v2/os/grpool.(*Pool).asynchronousWorker",
		"github.com/gogf/gf/v2/container/gqueue.(*TQueue[...]).asyncLoopFromListToChannel",
		"github.com/gogf/gf/v2/os/gfsnotify.(*Watcher).watchLoop",
		"github.com/gogf/gf/v2/os/gfsnotify.(*Watcher).eventLoop",
		"github.com/fsnotify/fsnotify.(*inotify).readEvents",
		"github.com/fsnotify/fsnotify.(*kqueue).readEvents",
		"github.com/fsnotify/fsnotify.(*readDirChangesW).readEvents",
	} {
		options = append(options, goleak.IgnoreAnyFunction(function))
	}
	return options
}
