package ini

import (
	"errors"
	"fmt"
	"strings"

	"github.com/osgochina/dmicro/supervisor/process"
	"github.com/osgochina/dmicro/supervisor/proclog"
)

// setter reads an expanded value into the options.
type setter func(o *process.ProcOptions, value string) error

// keys is the one table of what may stand in a [program:x] section. The keys that say how many processes there are are
// read before and do nothing here.
var keys = map[string]setter{
	"process_name":   to(parseName, func(o *process.ProcOptions) *string { return &o.Name }),
	"numprocs":       func(*process.ProcOptions, string) error { return nil },
	"numprocs_start": func(*process.ProcOptions, string) error { return nil },

	"command":                     setCommand,
	"directory":                   to(parseText, func(o *process.ProcOptions) *string { return &o.Directory }),
	"user":                        to(parseText, func(o *process.ProcOptions) *string { return &o.User }),
	"environment":                 setEnvironment,
	"priority":                    to(parseNumber, func(o *process.ProcOptions) *int { return &o.Priority }),
	"autostart":                   to(parseBool, func(o *process.ProcOptions) *bool { return &o.AutoStart }),
	"autorestart":                 to(parseRestart, func(o *process.ProcOptions) *process.AutoReStart { return &o.AutoReStart }),
	"exitcodes":                   to(parseCodes, func(o *process.ProcOptions) *[]int { return &o.ExitCodes }),
	"startsecs":                   to(parseSeconds, func(o *process.ProcOptions) *int { return &o.StartSecs }),
	"startretries":                to(parseNumber, func(o *process.ProcOptions) *int { return &o.StartRetries }),
	"restartpause":                to(parseSeconds, func(o *process.ProcOptions) *int { return &o.RestartPause }),
	"restart_when_binary_changed": to(parseBool, func(o *process.ProcOptions) *bool { return &o.RestartWhenBinaryChanged }),
	"stopsignal":                  to(parseSignals, func(o *process.ProcOptions) *[]string { return &o.StopSignal }),
	"stopwaitsecs":                to(parseSeconds, func(o *process.ProcOptions) *int { return &o.StopWaitSecs }),
	"killwaitsecs":                to(parseSeconds, func(o *process.ProcOptions) *int { return &o.KillWaitSecs }),
	"stopasgroup":                 to(parseBool, func(o *process.ProcOptions) *bool { return &o.StopAsGroup }),
	"killasgroup":                 to(parseBool, func(o *process.ProcOptions) *bool { return &o.KillAsGroup }),
	"redirect_stderr":             to(parseBool, func(o *process.ProcOptions) *bool { return &o.RedirectStderr }),
	"stdout_logfile":              to(parseLog, func(o *process.ProcOptions) *string { return &o.StdoutLogfile }),
	"stdout_logfile_maxbytes":     to(proclog.ParseSize, func(o *process.ProcOptions) *int { return &o.StdoutLogFileMaxBytes }),
	"stdout_logfile_backups":      to(parseNumber, func(o *process.ProcOptions) *int { return &o.StdoutLogFileBackups }),
	"stderr_logfile":              to(parseLog, func(o *process.ProcOptions) *string { return &o.StderrLogfile }),
	"stderr_logfile_maxbytes":     to(proclog.ParseSize, func(o *process.ProcOptions) *int { return &o.StderrLogFileMaxBytes }),
	"stderr_logfile_backups":      to(parseNumber, func(o *process.ProcOptions) *int { return &o.StderrLogFileBackups }),
	"lifeline":                    to(parseBool, func(o *process.ProcOptions) *bool { return &o.Lifeline }),
	"heartbeat":                   setHeartbeat,
}

// to makes a setter of a parser and the field for its result.
func to[T any](parse func(string) (T, error), field func(*process.ProcOptions) *T) setter {
	return func(o *process.ProcOptions, value string) (err error) {
		*field(o), err = parse(value)
		return err
	}
}

func parseText(value string) (string, error) { return value, nil }

func parseName(value string) (string, error) {
	if value == "" {
		return "", errors.New("a process needs a name")
	}
	return value, nil
}

func setCommand(o *process.ProcOptions, value string) error {
	words, err := process.SplitCommand(value)
	if err != nil {
		return err
	}
	o.Command, o.Args = words[0], words[1:]
	return nil
}

func setEnvironment(o *process.ProcOptions, value string) error {
	env, err := parseEnvironment(value)
	process.ProcEnvironment(env)(o)
	return err
}

func setHeartbeat(o *process.ProcOptions, value string) (err error) {
	o.Heartbeat, err = parseDuration(value)
	return err
}

func parseRestart(value string) (process.AutoReStart, error) {
	if strings.EqualFold(value, string(process.AutoReStartUnexpected)) {
		return process.AutoReStartUnexpected, nil
	}
	always, err := parseBool(value)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is neither true, false nor unexpected", value)
	case always:
		return process.AutoReStartTrue, nil
	}
	return process.AutoReStartFalse, nil
}

// parseSignals reads one or more signals, parted by blanks or commas.
func parseSignals(value string) ([]string, error) {
	names := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
	if len(names) == 0 {
		return nil, errors.New("no signal")
	}
	for _, name := range names {
		if _, err := process.ParseSignal(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func parseLog(value string) (string, error) {
	switch strings.ToUpper(value) {
	case "NONE":
		return "", nil
	case "AUTO":
		return "", errors.New("AUTO is not known, name a file, or NONE")
	}
	return value, nil
}
