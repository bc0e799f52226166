package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/logger"
)

// ctlSession is one use of ctl: a single command, or a shell.
type ctlSession struct {
	*app
	client *ctlClient // nil until a command needs it
	json   bool
	level  string // of log
	shell  bool
	leave  bool // exit was typed
}

// connect makes sure that there is a connection.
func (s *ctlSession) connect() error {
	if s.client != nil {
		return nil
	}
	if !s.debug {
		logger.SetLevel(logger.LevelCritical) // what goes wrong is told by statuses
	}
	dir, err := s.runDir()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, s.name+".sock")
	s.client, err = dialCtl(path)
	switch {
	case errors.Is(err, errNoAnswer):
		return fmt.Errorf(msgNoAnswer.in(s.msg), path)
	case err != nil:
		return fmt.Errorf(msgNoService.in(s.msg), path, err)
	}
	return nil
}

// close ends the connection, if there is one.
func (s *ctlSession) close() {
	if s.client != nil {
		s.client.close()
		s.client = nil
	}
}

// run executes one command of the table.
func (s *ctlSession) run(ctx context.Context, c *ctlCommand, args []string) error {
	if c.inShell && !s.shell {
		return &exitError{code: codeUsage, err: fmt.Errorf(msgShellOnly.in(s.msg), c.name)}
	}
	if !c.local {
		if err := s.connect(); err != nil {
			return err
		}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	return c.run(ctx, s, args)
}

// command makes the cobra command of c.
func (s *ctlSession) command(c *ctlCommand) *cobra.Command {
	cmd := &cobra.Command{
		Use:     strings.TrimSpace(c.name + " " + c.args),
		Aliases: c.aliases,
		Short:   c.help.in(s.msg),
		Args:    c.check,
		Hidden:  c.inShell && !s.shell,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd.Context(), c, args)
		},
	}
	if c.level {
		cmd.Flags().StringVarP(&s.level, "level", "l", "all", helpLevel.in(s.msg)+ctlLevelNames())
	}
	return cmd
}

// addCommands puts all commands under parent. The table has its own help.
func (s *ctlSession) addCommands(parent *cobra.Command) {
	for _, c := range ctlCommands() {
		cmd := s.command(c)
		if c.name == "help" {
			parent.SetHelpCommand(cmd)
		}
		parent.AddCommand(cmd)
	}
	parent.PersistentFlags().BoolVar(&s.json, "json", false, helpJSON.in(s.msg))
}

// tree is the command line of the shell: the commands without a program before
// them.
func (s *ctlSession) tree() *cobra.Command {
	root := &cobra.Command{
		Use:               "ctl",
		Args:              cobra.ArbitraryArgs,
		RunE:              func(_ *cobra.Command, args []string) error { return s.unknown(args) },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	if s.shell {
		root.Use = "»"
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	s.addCommands(root)
	return root
}

// unknown is the error of a word that is no command.
func (s *ctlSession) unknown(args []string) error {
	return &exitError{code: codeUsage, err: fmt.Errorf(msgUnknown.in(s.msg), strings.Join(args, " ")), usage: true}
}

// helpText lists the commands.
func (s *ctlSession) helpText() string {
	var b strings.Builder
	b.WriteString(helpCommands.in(s.msg) + "\n")
	w := tabwriter.NewWriter(&b, 0, 4, 3, ' ', 0)
	for _, c := range ctlCommands() {
		if c.inShell && !s.shell {
			continue
		}
		names := strings.Join(append([]string{c.name}, c.aliases...), "|")
		fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace(names+" "+c.args), c.help.in(s.msg))
	}
	_ = w.Flush() // into memory
	return b.String()
}

// untilInterrupt ends the context at Ctrl-C, or at a request to end.
func (s *ctlSession) untilInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, stopSignals...)
}

// briefly is the time that a question beside the point may take.
func (s *ctlSession) briefly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), connectTimeout)
}

// done says that a command did what it should.
func (s *ctlSession) done(m phrase, fields map[string]any) error {
	if !s.json {
		_, err := fmt.Fprintln(s.out, m.in(s.msg))
		return err
	}
	fields["ok"] = true
	return s.printJSON(fields)
}

// note prints a remark that is not part of the output: not for programs.
func (s *ctlSession) note(m phrase) {
	if !s.json {
		fmt.Fprintln(s.out, m.in(s.msg))
	}
}

func (s *ctlSession) printJSON(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printLine prints a line of the log. A line may hold what a stranger sent, so
// control characters do not reach the terminal.
func (s *ctlSession) printLine(line string) {
	if s.json {
		_ = s.printJSON(map[string]string{"line": line})
		return
	}
	fmt.Fprintln(s.out, printable(line))
}

func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return '.'
		}
		return r
	}, line)
}

// drain prints the lines that have arrived already.
func (s *ctlSession) drain() {
	for {
		select {
		case line := <-s.client.incoming:
			s.printLine(line)
		default:
			return
		}
	}
}

// printInfos prints the table of ps, and below it why a sandbox failed.
func (s *ctlSession) printInfos(infos ctlInfos) error {
	t := textTable{header: []string{"SandBoxName", "ServiceName", "Status", "Description"}}
	reasons := ""
	for _, i := range infos.List {
		t.rows = append(t.rows, []string{printable(i.SandBoxName), printable(i.ServiceName), i.Status, i.Description})
		if i.Reason != "" {
			reasons += fmt.Sprintf("%s: %s\n", printable(i.SandBoxName), printable(i.Reason))
		}
	}
	if s.colour {
		t.paint = paintStatus
	}
	_, err := fmt.Fprint(s.out, t.String(), reasons)
	return err
}

// paintStatus colours the column of states.
func paintStatus(column int, text string) string {
	if column != 2 {
		return text
	}
	colour := map[State]string{
		StateRunning: "\x1b[32m", StateFatal: "\x1b[31m", StateBackoff: "\x1b[33m", StateStopping: "\x1b[33m",
	}[State(strings.TrimSpace(text))]
	if colour == "" {
		return text
	}
	return colour + text + "\x1b[0m"
}

// historyFile is where the shell keeps its lines, "" if there is no home.
func (s *ctlSession) historyFile() string {
	home := s.getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return ""
		}
	}
	return filepath.Join(home, "."+s.name+".hist")
}
