// Package shell is the interactive front of ctl: a prompt with history and
// completion. It is the only place that knows the library behind it.
//
// The library reads the standard input and is of one use a process: Run one
// shell at a time.
package shell

import (
	"fmt"
	"os"
	"sync"

	"github.com/abiosoft/ishell/v2"
	"github.com/abiosoft/readline"
)

// historyLimit is how many lines are remembered.
const historyLimit = 500

// The exit codes of a shell.
const (
	codeLeft    = 0
	codeAborted = 1 // by Ctrl-C, or because the server has gone
)

// Command is a word that the shell knows and completes.
type Command struct {
	Name     string
	Aliases  []string
	Help     string
	Complete func() []string // arguments, nil for none
}

// Config is what a shell needs to know.
type Config struct {
	Banner    string // printed first
	Prompt    string
	History   string // file, "" for none; made with mode 0600
	Commands  []Command
	Execute   func(args []string) (leave bool, code int) // runs a line, also one that begins with an unknown word
	Lost      <-chan struct{}                            // closed when there is nothing to talk to any more
	LostText  string                                     // said then
	Notices   <-chan string                              // said as they come, above what is being typed; nil for none
	AgainText string                                     // said at the first Ctrl-C
	ByeText   string                                     // said at the second
}

// Run reads lines and executes them until one of them leaves, at the end of the
// input, at the second Ctrl-C in a row, or when the server is lost. It returns
// the exit code: 0 in the first two cases, else 1.
func Run(cfg Config) (int, error) {
	prepareHistory(&cfg)
	keys := new(keyboard)
	line, err := readline.NewEx(&readline.Config{
		Prompt: cfg.Prompt, HistoryFile: cfg.History, HistoryLimit: historyLimit,
		FuncMakeRaw: keys.toLine, FuncExitRaw: keys.stay, FuncFilterInputRune: keys.beforeRune,
	})
	if err != nil {
		return codeAborted, fmt.Errorf("shell: %w", err)
	}
	s := &session{cfg: cfg, shell: ishell.NewWithReadline(line), keys: keys}
	s.install()
	if err := keys.toLine(); err != nil {
		return codeAborted, fmt.Errorf("shell: terminal: %w", err)
	}
	fmt.Fprintln(os.Stdout, cfg.Banner)
	finished := make(chan struct{})
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		for {
			select {
			case <-cfg.Lost:
				fmt.Fprintf(os.Stdout, "\r\n%s\r\n", cfg.LostText)
				s.end(codeAborted)
				return
			case text := <-cfg.Notices:
				fmt.Fprintln(line.Stdout(), text)
			case <-finished:
				return
			}
		}
	}()
	s.shell.Run()
	close(finished)
	<-watching
	// Closing the line would wait for the next key. What is left is a goroutine that reads the input until the process
	// ends, which it does now.
	if err := keys.release(); err != nil {
		return s.code, fmt.Errorf("shell: terminal: %w", err)
	}
	return s.code, nil
}

// prepareHistory makes the file, because the library would make it readable to
// all. Without it there is no history.
func prepareHistory(cfg *Config) {
	if cfg.History == "" {
		return
	}
	f, err := os.OpenFile(cfg.History, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		cfg.History = ""
		return
	}
	_ = f.Close() // nothing was written
}

// session is one shell.
type session struct {
	cfg   Config
	shell *ishell.Shell
	keys  *keyboard
	once  sync.Once
	code  int
}

// end ends the shell, the first time it is called.
func (s *session) end(code int) {
	s.once.Do(func() {
		s.code = code
		s.shell.Stop()
	})
}

// install replaces the library's own commands and answers by those of cfg.
func (s *session) install() {
	for _, cmd := range s.shell.Cmds() {
		s.shell.DeleteCmd(cmd.Name)
	}
	s.shell.AutoHelp(false)
	for _, c := range s.cfg.Commands {
		s.shell.AddCmd(&ishell.Cmd{
			Name: c.Name, Aliases: c.Aliases, Help: c.Help,
			Completer: completer(c.Complete),
			Func: func(ctx *ishell.Context) {
				s.execute(append([]string{c.Name}, ctx.Args...))
			},
		})
	}
	s.shell.NotFound(func(ctx *ishell.Context) { s.execute(ctx.Args) })
	s.shell.EOF(func(*ishell.Context) { s.end(codeLeft) })
	s.shell.Interrupt(func(ctx *ishell.Context, count int, _ string) {
		if count < 2 {
			ctx.Println(s.cfg.AgainText)
			return
		}
		ctx.Println(s.cfg.ByeText)
		s.end(codeAborted)
	})
}

// execute runs a line. A terminal that cannot be switched is that of the line then, as before the line was read.
func (s *session) execute(args []string) {
	_ = s.keys.toCommand()
	leave, _ := s.cfg.Execute(args)
	if leave {
		s.end(codeLeft)
		return
	}
	_ = s.keys.toLine()
}

// completer adapts a list of arguments: there is one argument at most.
func completer(list func() []string) func([]string) []string {
	if list == nil {
		return nil
	}
	return func(args []string) []string {
		if len(args) > 0 {
			return nil
		}
		return list()
	}
}
