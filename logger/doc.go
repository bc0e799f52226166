// Package logger is the one log of a DMicro process: the core, the application runner and user code write
// through the functions of this package, and one level decides what comes out.
//
// A line reads
//
//	2026-11-21T12:26:49.337Z [WARN] text
//
// in the local time zone, with the severity in brackets; Print writes no severity and is never held back.
// The text is made of the arguments separated by blanks. Formatting, files and rotation are GoFrame's glog; this
// package adds what a running server needs on top of it: a level that may change at any moment, configuration that
// may be replaced at any moment, and handlers that receive every line.
//
// # Levels
//
// Levels are bits (LevelDebug, LevelInfo, ...), and a mask says which are written. The default is everything but
// debug; SetDebug adds debug, SetLevel and SetLevelStr choose freely. Critical, panic and fatal cannot be turned
// off by SetLevel. A line whose level is off costs one atomic load and is not formatted. The arguments of the call are
// still evaluated by the caller, so code on a hot path asks first:
//
//	if logger.Enabled(logger.LevelDebug) {
//		logger.Debugf(ctx, "%s took %s", method, cost)
//	}
//
// # Concurrency
//
// Every function may be called from any goroutine at any time. Configuration is copied, changed and swapped in as
// a whole; a line that is being written keeps the configuration it started with. The one exception is the
// *glog.Logger that DefaultLogger returns: its own Set methods are glog's and not synchronised, so use them only
// before the process starts to log.
package logger
