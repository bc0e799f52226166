package drpc

import (
	"context"

	"github.com/gogf/gf/v2/os/glog"

	"github.com/osgochina/dmicro/logger"
)

// SetLogger makes package logger, and with it this package, log through l; see logger.SetLogger.
func SetLogger(l *glog.Logger) { logger.SetLogger(l) }

// GetLogger returns the logger that the package writes to.
func GetLogger() *glog.Logger { return logger.DefaultLogger() }

// The log of the core belongs to no request: what it says concerns sessions and endpoints.

func logErrorf(format string, v ...any) { logger.Errorf(context.Background(), format, v...) }

func logWarnf(format string, v ...any) { logger.Warningf(context.Background(), format, v...) }

func logInfof(format string, v ...any) { logger.Infof(context.Background(), format, v...) }

func logDebugf(format string, v ...any) {
	if debugEnabled() {
		logger.Debugf(context.Background(), format, v...)
	}
}

// debugEnabled reports whether debug lines go anywhere, so that nothing is formatted for nobody.
func debugEnabled() bool { return logger.Enabled(logger.LevelDebug) }
