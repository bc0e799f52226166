package dserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
)

// ctlCommand is one command of ctl. The shell, the one-shot form and the help
// are made from this alone.
type ctlCommand struct {
	name    string
	aliases []string
	args    string // in the usage line
	help    phrase
	check   cobra.PositionalArgs
	flags   func(s *ctlSession, flags *pflag.FlagSet) // beside --json; nil for none
	local   bool                                      // needs no connection
	inShell bool                                      // makes sense in the shell only
	words   func(s *ctlSession) []string              // what its argument may be, for completion
	run     func(ctx context.Context, s *ctlSession, args []string) error
}

// ctlCommands is every command of ctl, in the order in which help shows them.
func ctlCommands() []*ctlCommand {
	return []*ctlCommand{
		ctlInfoCommand,
		{
			name: "start", args: "SANDBOX", words: (*ctlSession).sandboxNames, check: cobra.MaximumNArgs(1), run: ctlStart,
			help: phrase{"start a stopped sandbox", "启动服务"},
		},
		{
			name: "stop", args: "SANDBOX", words: (*ctlSession).sandboxNames, check: cobra.MaximumNArgs(1), run: ctlStop,
			help: phrase{"stop a running sandbox", "停止服务"},
		},
		{
			name: "reload", args: "[NAME]", words: (*ctlSession).sandboxNames, check: cobra.MaximumNArgs(1), run: ctlReload,
			help: phrase{"replace what runs by the program as it is now: everything, or one service", "平滑重启服务"},
		},
		{
			name: "debug", args: "[open|true|1|close|false|0]", check: cobra.MaximumNArgs(1), run: ctlDebug,
			words: func(*ctlSession) []string { return []string{"open", "close"} },
			help:  phrase{"turn debug lines of the log on or off", "开启或关闭debug模式"},
		},
		{
			name: "log", flags: (*ctlSession).levelFlag, check: cobra.NoArgs, run: ctlLog,
			help: phrase{"print the server's log as it is written", "打印服务端日志"},
		},
		{
			name: "top", flags: (*ctlSession).frameFlags, check: cobra.NoArgs, run: ctlTop,
			help: phrase{"show calls, latency and errors by process and method as they happen", "实时显示各进程与方法的调用、延迟和错误"},
		},
		{
			name: "sessions", flags: (*ctlSession).limitFlag, check: cobra.NoArgs, run: ctlSessionList,
			help: phrase{"list the peers and what goes on over their connections", "查看会话列表"},
		},
		{
			name: "routes", check: cobra.NoArgs, run: ctlRouteList,
			help: phrase{"list the service methods with the types of their argument and reply", "查看服务方法及其参数和返回类型"},
		},
		{
			name: "version", aliases: []string{"v"}, check: cobra.NoArgs, run: ctlVersion,
			help: phrase{"print the version of the running server", "显示服务的版本信息"},
		},
		{
			name: "help", args: "[COMMAND]", check: cobra.MaximumNArgs(1), local: true, run: ctlHelp,
			words: func(*ctlSession) []string { return ctlNames() },
			help:  phrase{"list the commands, or explain one", "显示帮助信息"},
		},
		{
			name: "clear", check: cobra.NoArgs, local: true, inShell: true, run: ctlClear,
			help: phrase{"clear the screen", "清屏"},
		},
		{
			name: "exit", check: cobra.NoArgs, local: true, inShell: true, run: ctlExit,
			help: phrase{"leave the shell", "退出"},
		},
	}
}

// ctlNames is the names of the commands.
func ctlNames() []string {
	var names []string
	for _, c := range ctlCommands() {
		names = append(names, c.name)
	}
	return names
}

var ctlInfoCommand = &ctlCommand{
	name: "ps", aliases: []string{"info", "status"}, check: cobra.NoArgs, run: ctlPs,
	help: phrase{"list the sandboxes and what they do", "查看服务状态"},
}

func ctlPs(ctx context.Context, s *ctlSession, _ []string) error {
	var infos ctlInfos
	if err := s.call(ctx, methodInfo, nil, &infos, "", msgLost); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(struct { // which has its list also where the reply leaves it out
			List []ctlInfo `json:"list"`
		}{orEmpty(infos.List)})
	}
	return s.printInfos(infos)
}

func ctlStart(ctx context.Context, s *ctlSession, args []string) error {
	return s.act(ctx, methodStart, strings.Join(args, ""), msgStartFailed, msgStarted)
}

func ctlStop(ctx context.Context, s *ctlSession, args []string) error {
	return s.act(ctx, methodStop, strings.Join(args, ""), msgStopFailed, msgStopped)
}

func ctlReload(ctx context.Context, s *ctlSession, args []string) error {
	name := strings.Join(args, "")
	if err := s.call(ctx, methodReload, name, new(ctlReloaded), name, msgReloadFailed); err != nil {
		return err
	}
	return s.done(msgReloaded, map[string]any{"name": name})
}

// act calls a method that does something with the sandbox called name, and says
// that it was done.
func (s *ctlSession) act(ctx context.Context, method, name string, failed, done phrase) error {
	if err := s.call(ctx, method, name, new(ctlNone), name, failed); err != nil {
		return err
	}
	return s.done(done, map[string]any{"sandbox": name})
}

// ctlDebug takes anything but a word for off as on, as it always did.
func ctlDebug(ctx context.Context, s *ctlSession, args []string) error {
	on := true
	switch strings.ToLower(strings.Join(args, "")) {
	case "close", "false", "0", "off":
		on = false
	}
	if err := s.call(ctx, methodDebug, on, new(ctlNone), "", msgLost); err != nil {
		return err
	}
	if on {
		return s.done(msgDebugOn, map[string]any{"debug": true})
	}
	return s.done(msgDebugOff, map[string]any{"debug": false})
}

// ctlLevels are the levels that log takes, each with everything above it.
var ctlLevels = []struct {
	name string
	mask int
}{
	{"all", logger.LevelAll},
	{"debug", logger.LevelAll},
	{"info", logger.LevelAll &^ (logger.LevelInfo - 1)},
	{"notice", logger.LevelAll &^ (logger.LevelNotice - 1)},
	{"warning", logger.LevelAll &^ (logger.LevelWarning - 1)},
	{"error", logger.LevelAll &^ (logger.LevelError - 1)},
	{"critical", logger.LevelCritical},
}

// parseCtlLevel takes the name of a level, or its beginning: warn, crit.
func parseCtlLevel(name string) (int, bool) {
	for _, l := range ctlLevels {
		if name != "" && strings.HasPrefix(l.name, strings.ToLower(name)) {
			return l.mask | logger.LevelPanic | logger.LevelFatal, true
		}
	}
	return 0, false
}

func ctlLevelNames() string {
	var names []string
	for _, l := range ctlLevels {
		names = append(names, l.name)
	}
	return strings.Join(names, ", ")
}

// ctlLog prints lines until Ctrl-C, or until the server has gone.
func ctlLog(ctx context.Context, s *ctlSession, _ []string) error {
	mask, ok := parseCtlLevel(s.level)
	if !ok {
		return &exitError{code: codeUsage, err: fmt.Errorf(msgBadLevel.in(s.msg), s.level, ctlLevelNames())}
	}
	ctx, stop := s.untilInterrupt(ctx)
	defer stop()
	for s.note(msgLogOn); ; s.note(msgLogAgain) {
		client := s.connection()
		client.lines.restart()
		if err := s.call(ctx, methodOpenLogger, mask, new(ctlNone), "", msgLost); err != nil {
			return err
		}
		if over := s.follow(ctx, client); over {
			break
		}
		if err := s.reconnect(ctx); err != nil {
			return err
		}
	}
	end, cancel := s.briefly()
	defer cancel()
	if err := s.call(end, methodCloseLogger, nil, new(ctlNone), "", msgLost); err != nil {
		return err
	}
	s.note(msgLogOff)
	return nil
}

// follow prints lines until the user has had enough, or, with false, the connection is lost.
func (s *ctlSession) follow(ctx context.Context, client *ctlClient) (over bool) {
	defer s.drain(client)
	for {
		select {
		case line := <-client.incoming:
			s.printLine(line)
		case <-client.lost():
			return false
		case <-ctx.Done():
			return true
		}
	}
}

func ctlSessionList(ctx context.Context, s *ctlSession, _ []string) error {
	var sessions ctlSessions
	if err := s.call(ctx, methodSessions, s.limit, &sessions, "", msgLost); err != nil {
		return err
	}
	if s.json {
		sessions.List = orEmpty(sessions.List)
		return s.printJSON(sessions)
	}
	return s.printSessions(sessions)
}

func ctlRouteList(ctx context.Context, s *ctlSession, _ []string) error {
	var routes ctlRoutes
	if err := s.call(ctx, methodRoutes, nil, &routes, "", msgLost); err != nil {
		return err
	}
	if s.json {
		routes.List = orEmpty(routes.List)
		return s.printJSON(routes)
	}
	return s.printRoutes(routes)
}

func ctlVersion(ctx context.Context, s *ctlSession, _ []string) error {
	var v versionInfo
	if err := s.call(ctx, methodVersion, nil, &v, "", msgLost); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(v)
	}
	_, err := fmt.Fprint(s.out, v.block())
	return err
}

func ctlHelp(_ context.Context, s *ctlSession, args []string) error {
	if len(args) == 0 {
		_, err := fmt.Fprint(s.out, s.helpText())
		return err
	}
	for _, cmd := range s.tree().Commands() {
		if cmd.Name() == args[0] || cmd.HasAlias(args[0]) {
			cmd.SetOut(s.out)
			return cmd.Help()
		}
	}
	return s.unknown(args)
}

func ctlClear(_ context.Context, s *ctlSession, _ []string) error {
	_, err := fmt.Fprint(s.out, "\x1b[H\x1b[2J")
	return err
}

func ctlExit(_ context.Context, s *ctlSession, _ []string) error {
	s.leave = true
	return nil
}

// call calls a method, and turns a status into an error in the user's language.
// Subject is the sandbox that was named, and otherwise is said of failures that
// have no code of their own.
func (s *ctlSession) call(ctx context.Context, method string, arg, reply any, subject string, otherwise phrase) error {
	stat := s.connection().call(ctx, method, arg, reply)
	if stat.OK() {
		return nil
	}
	// The same code stands for a lost connection and for ctlRefused; the text tells them apart.
	if stat.Code() == drpc.CodeConnClosed && stat.Msg() == drpc.CodeText(drpc.CodeConnClosed) {
		return errors.New(msgLost.in(s.msg))
	}
	detail := ""
	if cause := stat.Cause(); cause != nil && cause.Error() != "" && cause.Error() != stat.Msg() {
		detail = ": " + cause.Error()
	}
	switch stat.Code() {
	case ctlNoName:
		return &exitError{code: codeUsage, err: errors.New(msgNoName.in(s.msg)), usage: true}
	case ctlNotFound:
		return fmt.Errorf(msgNotFound.in(s.msg)+"%s", subject, detail)
	case ctlRefused:
		return fmt.Errorf("%s: %s%s", otherwise.in(s.msg), stat.Msg(), detail)
	case ctlFailed:
		return errors.New(otherwise.in(s.msg) + detail)
	}
	return fmt.Errorf("%s: %s (%s)%s", otherwise.in(s.msg), stat.Msg(), strconv.Itoa(int(stat.Code())), detail)
}
