package shell

import (
	"sync"

	"github.com/abiosoft/readline"
)

// keyboard decides who gets what is typed: the line, key by key, or the command that runs, for which Ctrl-C is a signal.
// The library would do it by itself, but for the time of each reading alone, which begins after its prompt is shown: a
// Ctrl-C between the two was a signal that ended the process. So the line has the keys whenever no command runs.
//
// Its methods may be called concurrently.
type keyboard struct {
	mu       sync.Mutex
	raw      readline.RawMode
	lineHas  bool
	released bool
}

// toLine gives every key to the line, from now on.
func (k *keyboard) toLine() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lineHas || k.released {
		return nil
	}
	err := k.raw.Enter()
	k.lineHas = err == nil
	return err
}

// toCommand gives the keys back.
func (k *keyboard) toCommand() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.lineHas {
		return nil
	}
	k.lineHas = false
	return k.raw.Exit()
}

// release is toCommand for good: a reading that the end of the shell has overtaken takes the keys no more.
func (k *keyboard) release() error {
	k.mu.Lock()
	k.released = true
	k.mu.Unlock()
	return k.toCommand()
}

// stay is what happens at the end of a reading: nothing.
func (k *keyboard) stay() error { return nil }

// beforeRune sees each key before the line does. Ctrl-Z suspends the process, and whoever gets the terminal then needs it
// as it was.
func (k *keyboard) beforeRune(r rune) (rune, bool) {
	if r == readline.CharCtrlZ {
		_ = k.toCommand() // the process is suspended all the same
	}
	return r, true
}
