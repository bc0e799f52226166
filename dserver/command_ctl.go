package dserver

import (
	"bufio"
	"context"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/dserver/internal/shell"
)

// ctlCommand is "ctl": with a command it runs that one, without it opens the
// shell.
func (a *app) ctlCommand() *cobra.Command {
	ctl := &cobra.Command{
		Use:   "ctl [COMMAND]",
		Short: helpCtl.in(a.msg),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.ctl.unknown(args)
			}
			return a.ctl.interact()
		},
	}
	a.ctl.addCommands(ctl)
	return ctl
}

// interact runs commands until exit: those of a terminal in the shell, those of
// a pipe one after the other.
func (s *ctlSession) interact() error {
	if err := s.connect(); err != nil {
		return err
	}
	s.shell = true
	if in, ok := s.in.(*os.File); !ok || !shell.IsTerminal(in) {
		return s.script()
	}
	gone, notices, stop := s.watch()
	defer stop()
	code, err := shell.Run(shell.Config{
		Banner:    ownVersion().block(),
		Prompt:    s.name + " » ",
		History:   s.historyFile(),
		Commands:  s.shellCommands(),
		Execute:   s.executeLine,
		Lost:      gone,
		Notices:   notices,
		LostText:  msgLost.in(s.msg),
		AgainText: msgInterrupt.in(s.msg),
		ByeText:   msgBye.in(s.msg),
	})
	if err != nil {
		return err
	}
	if code != codeOK {
		return &exitError{code: code}
	}
	return nil
}

// watch looks after the connection while the shell waits for its user: notices says when another process has taken the
// application over, and gone is closed when none has.
func (s *ctlSession) watch() (gone <-chan struct{}, notices <-chan string, stop func()) {
	lost, said := make(chan struct{}), make(chan string)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-s.connection().lost():
			case <-ctx.Done():
				return
			}
			if s.reconnect(ctx) != nil {
				close(lost)
				return
			}
			select {
			case said <- msgAgain.in(s.msg):
			case <-ctx.Done():
				return
			}
		}
	})
	return lost, said, func() {
		cancel()
		wg.Wait()
	}
}

// script runs the lines of a pipe and fails as the last of them that failed.
func (s *ctlSession) script() error {
	code := codeOK
	lines := bufio.NewScanner(s.in)
	for !s.leave && lines.Scan() {
		args := strings.Fields(lines.Text())
		if len(args) == 0 {
			continue
		}
		if _, c := s.executeLine(args); c != codeOK {
			code = c
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if code != codeOK {
		return &exitError{code: code}
	}
	return nil
}

// executeLine runs one line of the shell. Leave says that it was the last.
func (s *ctlSession) executeLine(args []string) (leave bool, code int) {
	s.ctlFlags = ctlFlags{}
	root := s.tree()
	root.SetArgs(args)
	code = execute(root)
	return s.leave, code
}

// shellCommands are the words that the shell completes.
func (s *ctlSession) shellCommands() []shell.Command {
	var list []shell.Command
	for _, c := range ctlCommands() {
		cmd := shell.Command{Name: c.name, Aliases: c.aliases, Help: c.help.in(s.msg)}
		if c.words != nil {
			cmd.Complete = func() []string { return c.words(s) }
		}
		list = append(list, cmd)
	}
	return list
}

func (s *ctlSession) sandboxNames() []string {
	var infos ctlInfos
	ctx, cancel := s.briefly()
	defer cancel()
	if !s.connection().call(ctx, methodInfo, nil, &infos).OK() {
		return nil
	}
	var names []string
	for _, i := range infos.List {
		names = append(names, i.SandBoxName)
	}
	return names
}
