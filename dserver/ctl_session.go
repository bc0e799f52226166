package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/logger"
)

// ctlSession is one use of ctl: a single command, or a shell.
type ctlSession struct {
	*app
	ctlFlags
	shell bool
	leave bool // exit was typed

	dialing sync.Mutex                // held by who looks for a new connection
	client  atomic.Pointer[ctlClient] // nil until a command needs it
}

// ctlFlags are the flags of the command that runs.
type ctlFlags struct {
	json     bool
	level    string        // of log
	limit    int           // of sessions
	frames   int           // of top; 0 for as many as the user likes
	interval time.Duration // of top
}

// connect makes sure that there is a connection.
func (s *ctlSession) connect() error {
	if s.client.Load() != nil {
		return nil
	}
	if !s.debug {
		logger.SetLevel(logger.LevelCritical) // what goes wrong is told by statuses
	}
	path, err := s.socketPath()
	if err != nil {
		return err
	}
	client, err := dialCtl(path, s.server.answerTime)
	switch {
	case errors.Is(err, errNoAnswer):
		return fmt.Errorf(msgNoAnswer.in(s.msg), path)
	case err != nil:
		return fmt.Errorf(msgNoService.in(s.msg), path, err)
	}
	s.client.Store(client)
	return nil
}

func (s *ctlSession) socketPath() (string, error) {
	dir, err := s.runDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, s.name+".sock"), nil
}

// connection is the connection of now. There is one once connect has succeeded.
func (s *ctlSession) connection() *ctlClient { return s.client.Load() }

// isLost reports whether the server has gone, or has made way for another one.
func (s *ctlSession) isLost() bool {
	select {
	case <-s.connection().lost():
		return true
	default:
		return false
	}
}

// reconnect waits, after a connection was lost, for the process that takes the place of the one that has left: that of
// a reload, or the next one of a supervisor. It gives up when nobody runs under the server's name any more, and after
// patience. Any number of goroutines may ask for it.
func (s *ctlSession) reconnect(ctx context.Context) error {
	s.dialing.Lock()
	defer s.dialing.Unlock()
	if !s.isLost() {
		return nil // somebody else was here
	}
	path, err := s.socketPath()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reconnectTime)
	defer cancel()
	for {
		client, err := dialCtl(path, s.server.answerTime)
		if err == nil {
			s.client.Swap(client).close()
			return nil
		}
		if !errors.Is(err, errNoAnswer) && !s.serverRuns() {
			return errors.New(msgLost.in(s.msg))
		}
		select {
		case <-ctx.Done():
			return errors.New(msgLost.in(s.msg))
		case <-time.After(redialPause):
		}
	}
}

const (
	reconnectTime = 20 * time.Second // for a reload to finish
	redialPause   = 50 * time.Millisecond
)

// serverRuns reports whether a process holds the server's name.
func (s *ctlSession) serverRuns() bool {
	dir, err := s.runDir()
	if err != nil {
		return false
	}
	holder, err := instance.FindHolder(filepath.Join(dir, s.name+".pid"))
	if err != nil {
		return false
	}
	holder.Close()
	return true
}

// close ends the connection, if there is one.
func (s *ctlSession) close() {
	if c := s.client.Swap(nil); c != nil {
		c.close()
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
	if c.flags != nil {
		c.flags(s, cmd.Flags())
	}
	return cmd
}

func (s *ctlSession) levelFlag(flags *pflag.FlagSet) {
	flags.StringVarP(&s.level, "level", "l", "all", helpLevel.in(s.msg)+ctlLevelNames())
}

func (s *ctlSession) limitFlag(flags *pflag.FlagSet) {
	flags.IntVarP(&s.limit, "limit", "n", 50, fmt.Sprintf(helpLimit.in(s.msg), maxSessionsTold))
}

func (s *ctlSession) frameFlags(flags *pflag.FlagSet) {
	flags.IntVarP(&s.frames, "frames", "n", 0, helpFrames.in(s.msg))
	flags.DurationVarP(&s.interval, "interval", "i", time.Second, helpInterval.in(s.msg))
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
	return context.WithTimeout(context.Background(), s.server.answerTime)
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
func (s *ctlSession) drain(client *ctlClient) {
	for {
		select {
		case line := <-client.incoming:
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

func (s *ctlSession) printSessions(sessions ctlSessions) error {
	t := textTable{header: []string{
		"Id", "Remote", "Local", "Pid", "Age", "Idle", "Serving", "Calling", "Queued", "In", "Out",
	}}
	for _, p := range sessions.List {
		t.rows = append(t.rows, []string{
			printable(p.ID), printable(p.Remote), printable(p.Local), strconv.Itoa(p.PID), uptime(seconds(p.Age)),
			uptime(seconds(p.Idle)), strconv.Itoa(p.Serving), strconv.Itoa(p.Calling), byteText(float64(p.Queued)),
			byteText(float64(p.BytesIn)), byteText(float64(p.BytesOut)),
		})
	}
	_, err := fmt.Fprintf(s.out, "%s"+msgShown.in(s.msg)+"\n", t, len(sessions.List), sessions.Total)
	return err
}

func (s *ctlSession) printRoutes(routes ctlRoutes) error {
	t := textTable{header: []string{"Method", "Kind", "Service", "Argument", "Reply"}}
	for _, r := range routes.List {
		t.rows = append(t.rows, []string{printable(r.Path), r.Kind, printable(r.Service), printable(r.Arg), printable(r.Reply)})
	}
	_, err := fmt.Fprintf(s.out, "%s"+msgShown.in(s.msg)+"\n", t, len(routes.List), routes.Total)
	return err
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
