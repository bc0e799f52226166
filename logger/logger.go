package logger

import "context"

// Print writes the values as one line without a severity. No level holds it back.
func Print(ctx context.Context, v ...interface{}) { std.log(ctx, LevelNone, v...) }

// Printf is Print with a format.
func Printf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelNone, format, v...)
}

// Println is the same as Print: every line ends with a line feed anyway.
func Println(ctx context.Context, v ...interface{}) { std.log(ctx, LevelNone, v...) }

// Debug writes a line of level Debug: for whoever looks for a fault. Off by default.
func Debug(ctx context.Context, v ...interface{}) { std.log(ctx, LevelDebug, v...) }

// Debugf is Debug with a format.
func Debugf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelDebug, format, v...)
}

// Info writes a line of level Info: what the process does in its ordinary course.
func Info(ctx context.Context, v ...interface{}) { std.log(ctx, LevelInfo, v...) }

// Infof is Info with a format.
func Infof(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelInfo, format, v...)
}

// Notice writes a line of level Notice: ordinary but worth a look.
func Notice(ctx context.Context, v ...interface{}) { std.log(ctx, LevelNotice, v...) }

// Noticef is Notice with a format.
func Noticef(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelNotice, format, v...)
}

// Warning writes a line of level Warning: something is wrong and the process has coped.
func Warning(ctx context.Context, v ...interface{}) { std.log(ctx, LevelWarning, v...) }

// Warningf is Warning with a format.
func Warningf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelWarning, format, v...)
}

// Error writes a line of level Error: something failed.
func Error(ctx context.Context, v ...interface{}) { std.log(ctx, LevelError, v...) }

// Errorf is Error with a format.
func Errorf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelError, format, v...)
}

// Critical writes a line of level Critical: a part of the process cannot go on. No level holds it back.
func Critical(ctx context.Context, v ...interface{}) { std.log(ctx, LevelCritical, v...) }

// Criticalf is Critical with a format.
func Criticalf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelCritical, format, v...)
}

// Panic writes a line of level Panic and then panics with the text. No level holds it back.
func Panic(ctx context.Context, v ...interface{}) { std.log(ctx, LevelPanic, v...) }

// Panicf is Panic with a format.
func Panicf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelPanic, format, v...)
}

// Fatal writes a line of level Fatal, waits until it and the lines before it are out, and ends the process with exit
// status 1. Deferred functions do not run. No level holds it back.
func Fatal(ctx context.Context, v ...interface{}) { std.log(ctx, LevelFatal, v...) }

// Fatalf is Fatal with a format.
func Fatalf(ctx context.Context, format string, v ...interface{}) {
	std.logf(ctx, LevelFatal, format, v...)
}
