package proclog

import (
	"errors"
	"fmt"
	"io"
)

// ErrNotKept means that a Logger keeps nothing that could be read again or cleared; only files do.
var ErrNotKept = fmt.Errorf("proclog: the output is not kept in a file: %w", errors.ErrUnsupported)

// Logger is a place that output goes to. All methods may be called concurrently.
type Logger interface {
	// Write takes output, best as whole lines: a file is rotated between lines only.
	io.WriteCloser
	// SetPid tells the logger which process writes, 0 for none. The system log shows it.
	SetPid(pid int)
	// ReadLog returns length bytes from offset on, at most 1 MiB. A length of 0 reads to the end; a negative offset
	// counts from the end. Loggers that keep nothing return ErrNotKept.
	ReadLog(offset int64, length int64) (string, error)
	// ReadTailLog follows a log: it returns what lies after offset, but at most the last length bytes of it (at most
	// 1 MiB), the offset to ask with next time, and whether something was left out.
	ReadTailLog(offset int64, length int64) (string, int64, bool, error)
	// ClearCurLogFile empties the file that is written now.
	ClearCurLogFile() error
	// ClearAllLogFile empties it and removes the rotated ones.
	ClearAllLogFile() error
}

// unkept is what a Logger that keeps nothing has in common with the others of its kind.
type unkept struct{}

func (unkept) SetPid(int)                         {}
func (unkept) Close() error                       { return nil }
func (unkept) ReadLog(_, _ int64) (string, error) { return "", ErrNotKept }
func (unkept) ReadTailLog(_, _ int64) (string, int64, bool, error) {
	return "", 0, false, ErrNotKept
}
func (unkept) ClearCurLogFile() error { return ErrNotKept }
func (unkept) ClearAllLogFile() error { return ErrNotKept }

// discard keeps nothing and shows nothing.
type discard struct{ unkept }

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// stream is an output of the supervisor itself. It is not closed, others write to it.
type stream struct {
	unkept
	io.Writer
}
