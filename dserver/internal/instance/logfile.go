package instance

import "os"

// OpenLog opens a file in the run directory for the output of a process, which is added at its end. It is made with mode
// 0600; one that is a link, or another user's, gives ErrUnsafe.
func OpenLog(path string) (*os.File, error) {
	f, err := openPidFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || !ownedByUs(info)) {
		err = ErrUnsafe
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
