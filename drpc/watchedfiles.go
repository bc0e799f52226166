package drpc

import (
	"errors"
	"os"
	"slices"
	"time"
)

// settleTime is how old files must be for their times to tell whether they were changed: two changes within one tick of the
// file system's clock have the same time.
const settleTime = 2 * time.Second

// watchedFiles are files that are read again when they have changed. Whoever uses them locks.
type watchedFiles struct {
	paths   []string
	seen    []os.FileInfo // when they were last read; nil where a file was not there
	read    time.Time
	settled bool   // nothing can have changed without changing seen
	failure string // why the last read was of no use
}

// changed reports whether the files are to be read now, which the caller then does. The error names those that are not
// there.
func (f *watchedFiles) changed() (bool, error) {
	now, err := f.look()
	if slices.EqualFunc(now, f.seen, sameFile) && (f.settled || time.Since(f.read) < settleTime) {
		return false, err
	}
	f.seen, f.read, f.settled = now, time.Now(), settled(now)
	return true, err
}

// look tells what the files are like.
func (f *watchedFiles) look() (now []os.FileInfo, err error) {
	now = make([]os.FileInfo, len(f.paths))
	for i, path := range f.paths {
		info, statErr := os.Stat(path)
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		now[i] = info
	}
	return now, err
}

// complain logs, once for each reason, that what the files hold now is of no use.
func (f *watchedFiles) complain(what string, err error) {
	if f.failure != err.Error() {
		f.failure = err.Error()
		logWarnf("%s %s has changed and cannot be used, the one before serves on: %v", what, f.paths[0], err)
	}
}

// sameFile reports whether a file is as it was.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && os.SameFile(a, b)
}

// settled reports whether files are old enough that a change from now on will show.
func settled(files []os.FileInfo) bool {
	return !slices.ContainsFunc(files, func(info os.FileInfo) bool {
		return info != nil && time.Since(info.ModTime()) < settleTime
	})
}
