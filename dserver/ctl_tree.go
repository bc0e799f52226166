package dserver

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ctlFlags are the flags of the command that runs.
type ctlFlags struct {
	json     bool
	level    string        // of log
	limit    int           // of sessions
	frames   int           // of top; 0 for as many as the user likes
	interval time.Duration // of top
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
