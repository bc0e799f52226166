package dserver

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes of the commands.
const (
	codeOK         = 0
	codeFailed     = 1
	codeUsage      = 2
	codeNotRunning = 3 // of "status", as the Linux Standard Base has it
)

// app is one run of the program: the server, and the command line around it.
type app struct {
	console
	server *DServer
	name   string // of the server
	start  []StartFunc
	msg    catalogue
	ctl    *ctlSession
	debug  bool // --debug

	greeting string // said when the server serves
}

// exitError is an error that decides the exit code. Without an error inside,
// everything has been said already.
type exitError struct {
	code  int
	err   error
	usage bool // the usage text would help
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// run executes the command in args, the first of which is the program, and
// returns the exit code.
func (s *DServer) run(c console, args []string, start []StartFunc) int {
	if len(args) == 0 {
		args = []string{"dserver"}
	}
	a := &app{console: c, server: s, name: s.nameFor(args[0]), start: start, msg: languageOf(c.getenv)}
	a.ctl = &ctlSession{app: a}
	defer a.ctl.close()
	root := a.rootCommand(filepath.Base(args[0]))
	root.SetArgs(args[1:])
	return execute(root)
}

// execute runs a tree of commands and tells wrong usage, which gets the usage
// text and code 2, from a failure, which gets its error and code 1.
func execute(root *cobra.Command) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	reached := false
	watchRun(root, &reached)
	cmd, err := root.ExecuteC()
	if err == nil {
		return codeOK
	}
	var exit *exitError
	isExit := errors.As(err, &exit)
	if !isExit || exit.err != nil {
		cmd.PrintErrf("error: %v\n", err)
	}
	code, usage := codeFailed, false
	switch {
	case isExit:
		code, usage = exit.code, exit.usage
	case !reached:
		code, usage = codeUsage, true
	}
	if usage {
		cmd.PrintErr(cmd.UsageString())
	}
	return code
}

// watchRun notes when any command of the tree gets to run: an error before that
// is one of usage.
func watchRun(cmd *cobra.Command, reached *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*reached = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		watchRun(sub, reached)
	}
}

func (a *app) rootCommand(binary string) *cobra.Command {
	root := &cobra.Command{
		Use:           binary,
		Short:         a.name,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().BoolVar(&a.debug, "debug", false, "log everything, to the standard output too")
	root.SetHelpCommand(helpCommand())
	root.AddCommand(a.startCommand(), a.reloadCommand(), a.statusCommand(), a.versionCommand())
	for _, way := range endings {
		root.AddCommand(a.endCommand(way))
	}
	if a.server.hasCtl() {
		root.AddCommand(a.ctlCommand())
	}
	a.server.mu.Lock()
	extend := a.server.extend
	a.server.mu.Unlock()
	for _, f := range extend {
		f(root)
	}
	return root
}

// helpCommand is cobra's, but that it fails where there is nothing to explain.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, _, err := cmd.Root().Find(args)
			if err != nil {
				name := cmd.Root().Name()
				return &exitError{code: codeUsage, err: fmt.Errorf("%q is no command of %s; %s help lists them", strings.Join(args, " "), name, name)}
			}
			topic.InitDefaultHelpFlag() // or the flag is missing in its own explanation
			return topic.Help()
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Aliases: []string{"v", "i"},
		Short:   "print the version of this program",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(a.out, ownVersion().block())
			return err
		},
	}
}
