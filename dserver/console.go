package dserver

import (
	"io"
	"os"

	"github.com/osgochina/dmicro/dserver/internal/shell"
)

// console is what a command sees of the world outside: its streams and its
// environment.
type console struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	getenv func(string) string
	colour bool // the output is a terminal that shows colours

	terminal *os.File // the output, if it is a terminal
}

func systemIO() console {
	return console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		terminal: terminalOf(os.Stdout),
		colour:   shell.IsTerminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}
