package proclog

import "errors"

// composite writes to several loggers. It is never changed after it was made.
type composite []Logger

// Write reports the whole of b as taken when at least one logger took it; what the others could not take is lost to them.
func (c composite) Write(b []byte) (int, error) {
	var errs []error
	for _, l := range c {
		if _, err := l.Write(b); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == len(c) {
		return 0, errors.Join(errs...)
	}
	return len(b), nil
}

func (c composite) SetPid(pid int) {
	for _, l := range c {
		l.SetPid(pid)
	}
}

// ReadLog reads the first logger that keeps something, as do the methods below.
func (c composite) ReadLog(offset, length int64) (string, error) {
	for _, l := range c {
		if s, err := l.ReadLog(offset, length); !errors.Is(err, ErrNotKept) {
			return s, err
		}
	}
	return "", ErrNotKept
}

func (c composite) ReadTailLog(offset, length int64) (string, int64, bool, error) {
	for _, l := range c {
		if s, next, cut, err := l.ReadTailLog(offset, length); !errors.Is(err, ErrNotKept) {
			return s, next, cut, err
		}
	}
	return "", 0, false, ErrNotKept
}

func (c composite) ClearCurLogFile() error { return c.clear(Logger.ClearCurLogFile) }

func (c composite) ClearAllLogFile() error { return c.clear(Logger.ClearAllLogFile) }

func (c composite) clear(one func(Logger) error) error {
	errs := []error{ErrNotKept}
	for _, l := range c {
		if err := one(l); !errors.Is(err, ErrNotKept) {
			errs[0] = nil
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c composite) Close() error {
	errs := make([]error, len(c))
	for i, l := range c {
		errs[i] = l.Close()
	}
	return errors.Join(errs...)
}
