package shell

import (
	"os"

	"github.com/abiosoft/readline"
)

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool { return readline.IsTerminal(int(f.Fd())) }

// Size returns how many columns and rows the terminal f has, 0 where it does not say.
func Size(f *os.File) (columns, rows int) {
	columns, rows, err := readline.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}
