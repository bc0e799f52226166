package graceful

import (
	"fmt"
	"os"
)

// system is what this package asks of the operating system. Tests bring their own, so that most of them need no
// process.
type system struct {
	supported bool
	pid       func() int
	parent    func() int
	lookupEnv func(name string) (string, bool)
	unsetEnv  func(name string) error
	setEnv    func(name, value string) error
	environ   func() []string

	// identify names the file behind a descriptor number, or fails if there is none.
	identify func(fd int) (string, error)
	// socketAt returns the network and address of the socket behind a descriptor number.
	socketAt func(fd int) (network, address string, err error)
	// adopt makes a descriptor number of this process a file that programs it starts do not inherit.
	adopt func(fd int, name string) *os.File
	// setStderr makes f the standard error of this process.
	setStderr func(f *os.File) error
	// start starts a process.
	start func(c command) (child, error)
	// terminate asks a process to end.
	terminate func(pid int) error
	exit      func(code int)
	// complain tells whoever looks at the standard error.
	complain func(err error)
}

// end ends the process, and says why if that is an error.
func (s system) end(err error) {
	if err == nil {
		s.exit(0)
		return
	}
	s.complain(err)
	s.exit(1)
}

// complain is what realSystem has for it.
func complain(err error) { fmt.Fprintln(os.Stderr, err) }

// command is a process to be started.
type command struct {
	path   string
	args   []string // with the name of the program
	dir    string
	env    []string
	files  []*os.File // descriptors from firstFD on
	stdout *os.File
	stderr *lastWords
}

// child is a process that was started.
type child interface {
	pid() int
	// exited is closed when the process has ended and all that it wrote is in its lastWords.
	exited() <-chan struct{}
	// state says how the process ended; valid once exited is closed.
	state() string
	// end asks the process to end, insists after a while, and returns when it has ended.
	end()
}
