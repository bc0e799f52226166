package process

import (
	"fmt"
	"os"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/supervisor/proclog"
)

// AutoReStart says whether a program that has ended by itself is started again.
type AutoReStart string

const (
	// AutoReStartUnexpected starts it again unless its exit code is one of the ExitCodes.
	AutoReStartUnexpected AutoReStart = "unexpected"
	// AutoReStartTrue starts it again in any case.
	AutoReStartTrue AutoReStart = "true"
	// AutoReStartFalse never starts it again.
	AutoReStartFalse AutoReStart = "false"
)

// ProcOption sets one option.
type ProcOption func(*ProcOptions)

// ProcOptions describe a program and how it is looked after. NewProcOptions fills in the defaults named here; a
// literal has Go's zero values instead, with an empty AutoReStart meaning AutoReStartTrue. All seconds are at most 10^9.
type ProcOptions struct {
	// Name is what the process is found by; the base name of Command if empty.
	Name string
	// Command is the program: a path, or a name that is looked up in PATH. A relative path counts from Directory.
	Command string
	// Args follow the command's own name on its command line.
	Args []string
	// Directory is the working directory; the supervisor's if empty.
	Directory string
	// AutoStart, default true, has Manager.StartAll start the process.
	AutoStart bool
	// StartSecs, default 1, is how many seconds the program must be up to count as running; 0: it counts at once.
	StartSecs int
	// AutoReStart, default AutoReStartTrue, is what follows when a running program ends.
	AutoReStart AutoReStart
	// ExitCodes are those that AutoReStartUnexpected expects; 0 and 2 if nil.
	ExitCodes []int
	// StartRetries, default 3, is how many starts in a row may fail before the state is Fatal, at least 1.
	StartRetries int
	// RestartPause is how many seconds lie between two starts. With 0 it is one second more with each start that failed, at
	// most 30; three seconds when the program had been Running for less than two; none otherwise.
	RestartPause int
	// User is who the program runs as: a name or number, and perhaps a group, "app" or "app:www". It gets the user's
	// groups, HOME, USER and LOGNAME. Only root may name another user.
	User string
	// Priority, default 999, orders Manager.StartAll (low first) and StopAllProcesses (low last).
	Priority int
	// StdoutLogfile is where output goes, as proclog.Open reads it; nowhere if empty.
	StdoutLogfile string
	// StdoutLogFileMaxBytes, default 50 MiB, is the size at which the file is rotated; 0: never.
	StdoutLogFileMaxBytes int
	// StdoutLogFileBackups, default 10, is how many rotated files are kept.
	StdoutLogFileBackups int
	// RedirectStderr sends the error output where the output goes, in the order it was written.
	RedirectStderr bool
	// StderrLogfile is where the error output goes, unless it is redirected.
	StderrLogfile string
	// StderrLogFileMaxBytes is StdoutLogFileMaxBytes for the error output.
	StderrLogFileMaxBytes int
	// StderrLogFileBackups is StdoutLogFileBackups for the error output.
	StderrLogFileBackups int
	// StopAsGroup sends the stop signals to the whole process group at once; otherwise the rest of the group
	// gets the first of them when the program itself has ended.
	StopAsGroup bool
	// KillAsGroup is for older programs: a kill always goes to the whole process group.
	KillAsGroup bool
	// StopSignal are the signals of a stop, one after the other; TERM if empty. See ParseSignal.
	StopSignal []string
	// StopWaitSecs, default 10, is how long each of them may take. Then the process group is killed.
	StopWaitSecs int
	// KillWaitSecs, default 2, is how long a killed program may take to be gone before the state is Unknown.
	KillWaitSecs int
	// Environment is added to the supervisor's own.
	Environment *gmap.StrStrMap
	// RestartWhenBinaryChanged stops and starts the program when its file has changed and stayed so for a second.
	RestartWhenBinaryChanged bool
	// ExtraFiles are inherited as descriptors 3, 4 and so on. The process does not close them.
	ExtraFiles []*os.File
	// Extend is the caller's own; nothing here reads it.
	Extend *gmap.AnyAnyMap
	// Lifeline gives the program a life-line (package supervisor/lifeline): it can finish what it has when the
	// supervisor dies. Without one, on Linux, the system kills it then.
	Lifeline bool
	// Heartbeat above 0, at least 10 ms, is how long a program may be silent on its life-line before it counts
	// as frozen, is killed and, unless AutoReStart is false, started again. A quarter more is granted, in case it was the
	// supervisor that slept. It implies Lifeline.
	Heartbeat time.Duration
	// OnChange is called with each new state, in order: with the Starting of a Start on the goroutine that calls it, with all
	// others on the one that drives the process. It must not wait for that process.
	OnChange func(*Info)

	errs []error
}

const (
	defaultMaxBytes = 50 << 20
	defaultBackups  = 10
)

// NewProcOptions returns the defaults with opts applied.
func NewProcOptions(opts ...ProcOption) ProcOptions {
	o := ProcOptions{
		AutoStart:             true,
		StartSecs:             1,
		AutoReStart:           AutoReStartTrue,
		StartRetries:          3,
		Priority:              999,
		StdoutLogFileMaxBytes: defaultMaxBytes,
		StdoutLogFileBackups:  defaultBackups,
		StderrLogFileMaxBytes: defaultMaxBytes,
		StderrLogFileBackups:  defaultBackups,
		StopWaitSecs:          10,
		KillWaitSecs:          2,
		Environment:           gmap.NewStrStrMap(true),
		Extend:                gmap.NewAnyAnyMap(true),
	}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// ProcName sets Name.
func ProcName(opt string) ProcOption { return func(o *ProcOptions) { o.Name = opt } }

// ProcCommand sets Command.
func ProcCommand(opt string) ProcOption { return func(o *ProcOptions) { o.Command = opt } }

// ProcArgs sets Args.
func ProcArgs(opt ...string) ProcOption { return func(o *ProcOptions) { o.Args = opt } }

// ProcAutoStart sets AutoStart.
func ProcAutoStart(opt bool) ProcOption { return func(o *ProcOptions) { o.AutoStart = opt } }

// ProcDirectory sets Directory.
func ProcDirectory(opt string) ProcOption { return func(o *ProcOptions) { o.Directory = opt } }

// ProcStartSecs sets StartSecs.
func ProcStartSecs(opt int) ProcOption { return func(o *ProcOptions) { o.StartSecs = opt } }

// ProcAutoReStart sets AutoReStart.
func ProcAutoReStart(opt AutoReStart) ProcOption { return func(o *ProcOptions) { o.AutoReStart = opt } }

// ProcExitCodes sets ExitCodes.
func ProcExitCodes(opt ...int) ProcOption { return func(o *ProcOptions) { o.ExitCodes = opt } }

// ProcStartRetries sets StartRetries.
func ProcStartRetries(opt int) ProcOption { return func(o *ProcOptions) { o.StartRetries = opt } }

// ProcRestartPause sets RestartPause.
func ProcRestartPause(opt int) ProcOption { return func(o *ProcOptions) { o.RestartPause = opt } }

// ProcUser sets User.
func ProcUser(opt string) ProcOption { return func(o *ProcOptions) { o.User = opt } }

// ProcPriority sets Priority.
func ProcPriority(opt int) ProcOption { return func(o *ProcOptions) { o.Priority = opt } }

// ProcStopAsGroup sets StopAsGroup.
func ProcStopAsGroup(opt bool) ProcOption { return func(o *ProcOptions) { o.StopAsGroup = opt } }

// ProcKillAsGroup sets KillAsGroup.
func ProcKillAsGroup(opt bool) ProcOption { return func(o *ProcOptions) { o.KillAsGroup = opt } }

// ProcStopSignal sets StopSignal.
func ProcStopSignal(opt ...string) ProcOption { return func(o *ProcOptions) { o.StopSignal = opt } }

// ProcStopWaitSecs sets StopWaitSecs.
func ProcStopWaitSecs(opt int) ProcOption { return func(o *ProcOptions) { o.StopWaitSecs = opt } }

// ProcKillWaitSecs sets KillWaitSecs.
func ProcKillWaitSecs(opt int) ProcOption { return func(o *ProcOptions) { o.KillWaitSecs = opt } }

// ProcSetEnvironment adds one variable to Environment.
func ProcSetEnvironment(key string, val string) ProcOption {
	return ProcEnvironment(map[string]string{key: val})
}

// ProcEnvironment adds variables to Environment.
func ProcEnvironment(opt map[string]string) ProcOption {
	return func(o *ProcOptions) {
		if o.Environment == nil {
			o.Environment = gmap.NewStrStrMap(true)
		}
		o.Environment.Sets(opt)
	}
}

// ProcRestartWhenBinaryChanged sets RestartWhenBinaryChanged.
func ProcRestartWhenBinaryChanged(opt bool) ProcOption {
	return func(o *ProcOptions) { o.RestartWhenBinaryChanged = opt }
}

// ProcExtraFiles sets ExtraFiles.
func ProcExtraFiles(opt []*os.File) ProcOption { return func(o *ProcOptions) { o.ExtraFiles = opt } }

// ProcSetExtend puts a value of the caller's own into Extend.
func ProcSetExtend(key interface{}, val interface{}) ProcOption {
	return func(o *ProcOptions) {
		if o.Extend == nil {
			o.Extend = gmap.NewAnyAnyMap(true)
		}
		o.Extend.Set(key, val)
	}
}

// ProcStdoutLog sets StdoutLogfile, StdoutLogFileMaxBytes ("50MB", see proclog.ParseSize; "" leaves it) and, if
// given, StdoutLogFileBackups. A bad size is reported when the process is made or started.
func ProcStdoutLog(file string, maxBytes string, backups ...int) ProcOption {
	return func(o *ProcOptions) {
		o.StdoutLogfile = file
		o.logLimits(maxBytes, backups, &o.StdoutLogFileMaxBytes, &o.StdoutLogFileBackups)
	}
}

// ProcStderrLog is ProcStdoutLog for the error output.
func ProcStderrLog(file string, maxBytes string, backups ...int) ProcOption {
	return func(o *ProcOptions) {
		o.StderrLogfile = file
		o.logLimits(maxBytes, backups, &o.StderrLogFileMaxBytes, &o.StderrLogFileBackups)
	}
}

func (o *ProcOptions) logLimits(maxBytes string, backups []int, toBytes, toBackups *int) {
	if maxBytes != "" {
		n, err := proclog.ParseSize(maxBytes)
		if err != nil {
			o.errs = append(o.errs, fmt.Errorf("process: %w", err))
		} else {
			*toBytes = n
		}
	}
	if len(backups) > 0 {
		*toBackups = backups[0]
	}
}

// ProcRedirectStderr sets RedirectStderr.
func ProcRedirectStderr(opt bool) ProcOption { return func(o *ProcOptions) { o.RedirectStderr = opt } }

// ProcLifeline sets Lifeline.
func ProcLifeline(opt bool) ProcOption { return func(o *ProcOptions) { o.Lifeline = opt } }

// ProcHeartbeat sets Heartbeat.
func ProcHeartbeat(opt time.Duration) ProcOption { return func(o *ProcOptions) { o.Heartbeat = opt } }

// ProcOnChange sets OnChange.
func ProcOnChange(opt func(*Info)) ProcOption { return func(o *ProcOptions) { o.OnChange = opt } }
