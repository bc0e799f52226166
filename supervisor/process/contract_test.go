package process_test

import (
	"os"
	"os/exec"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/supervisor/process"
)

// Programs written for DMicro 1.x compile against these names with these types. Each line fails to compile when a name is gone
// or its signature has changed.

var (
	_ func() *process.Manager                                          = process.NewManager
	_ func(string) process.ProcOption                                  = process.ProcName
	_ func(string) process.ProcOption                                  = process.ProcCommand
	_ func(...string) process.ProcOption                               = process.ProcArgs
	_ func(bool) process.ProcOption                                    = process.ProcAutoStart
	_ func(string) process.ProcOption                                  = process.ProcDirectory
	_ func(int) process.ProcOption                                     = process.ProcStartSecs
	_ func(process.AutoReStart) process.ProcOption                     = process.ProcAutoReStart
	_ func(...int) process.ProcOption                                  = process.ProcExitCodes
	_ func(int) process.ProcOption                                     = process.ProcStartRetries
	_ func(int) process.ProcOption                                     = process.ProcRestartPause
	_ func(string) process.ProcOption                                  = process.ProcUser
	_ func(int) process.ProcOption                                     = process.ProcPriority
	_ func(bool) process.ProcOption                                    = process.ProcStopAsGroup
	_ func(bool) process.ProcOption                                    = process.ProcKillAsGroup
	_ func(...string) process.ProcOption                               = process.ProcStopSignal
	_ func(int) process.ProcOption                                     = process.ProcStopWaitSecs
	_ func(int) process.ProcOption                                     = process.ProcKillWaitSecs
	_ func(key string, val string) process.ProcOption                  = process.ProcSetEnvironment
	_ func(map[string]string) process.ProcOption                       = process.ProcEnvironment
	_ func(bool) process.ProcOption                                    = process.ProcRestartWhenBinaryChanged
	_ func([]*os.File) process.ProcOption                              = process.ProcExtraFiles
	_ func(interface{}, interface{}) process.ProcOption                = process.ProcSetExtend
	_ func(string, string, ...int) process.ProcOption                  = process.ProcStdoutLog
	_ func(string, string, ...int) process.ProcOption                  = process.ProcStderrLog
	_ func(bool) process.ProcOption                                    = process.ProcRedirectStderr
	_ func(...process.ProcOption) process.ProcOptions                  = process.NewProcOptions
	_ func(...process.ProcOption) *process.Process                     = process.NewProcess
	_ func(process.ProcOptions) *process.Process                       = process.NewProcessByOptions
	_ func(cmd string, environment map[string]string) *process.Process = process.NewProcessCmd
	_ func()                                                           = process.ReapZombie
)

var (
	_ func(*process.Manager, string, []string, map[string]string, ...process.ProcOption) (*process.Process, error) = (*process.Manager).NewProcess
	_ func(*process.Manager, process.ProcOptions) (*process.Process, error)                                        = (*process.Manager).NewProcessByOptions
	_ func(*process.Manager, *process.Process) (*process.Process, error)                                           = (*process.Manager).NewProcessByProcess
	_ func(*process.Manager, string, map[string]string) (*process.Process, error)                                  = (*process.Manager).NewProcessCmd
	_ func(*process.Manager, string, *process.Process)                                                             = (*process.Manager).Add
	_ func(*process.Manager, string) *process.Process                                                              = (*process.Manager).Remove
	_ func(*process.Manager)                                                                                       = (*process.Manager).Clear
	_ func(*process.Manager, func(*process.Process))                                                               = (*process.Manager).ForEachProcess
	_ func(*process.Manager)                                                                                       = (*process.Manager).StopAllProcesses
	_ func(*process.Manager, string) *process.Process                                                              = (*process.Manager).Find
	_ func(*process.Manager) ([]*process.Info, error)                                                              = (*process.Manager).GetAllProcessInfo
	_ func(*process.Manager, string) (*process.Info, error)                                                        = (*process.Manager).GetProcessInfo
	_ func(*process.Manager, string, bool) (bool, error)                                                           = (*process.Manager).StartProcess
	_ func(*process.Manager, string, bool) (bool, error)                                                           = (*process.Manager).StopProcess
	_ func(*process.Manager, string, bool) (bool, error)                                                           = (*process.Manager).GracefulReload

	_ func(*process.Process) *process.Info             = (*process.Process).GetProcessInfo
	_ func(*process.Process) string                    = (*process.Process).GetName
	_ func(*process.Process) string                    = (*process.Process).GetDescription
	_ func(*process.Process) process.State             = (*process.Process).GetState
	_ func(*process.Process) time.Time                 = (*process.Process).GetStartTime
	_ func(*process.Process) time.Time                 = (*process.Process).GetStopTime
	_ func(*process.Process) int                       = (*process.Process).GetExitStatus
	_ func(*process.Process) int                       = (*process.Process).Pid
	_ func(*process.Process) string                    = (*process.Process).GetStdoutLogfile
	_ func(*process.Process) string                    = (*process.Process).GetStderrLogfile
	_ func(*process.Process) string                    = (*process.Process).GetStatus
	_ func(*process.Process, bool)                     = (*process.Process).Start
	_ func(*process.Process, bool)                     = (*process.Process).Stop
	_ func(*process.Process) (*process.Process, error) = (*process.Process).Clone
	_ func(*process.Process, os.Signal, bool) error    = (*process.Process).Signal
	_ func(process.ProcOptions) (*exec.Cmd, error)     = process.ProcOptions.CreateCommand
	_ func(process.State) string                       = process.State.String
)

// Types, fields and constants. Only Stopped has a type.
var (
	_ process.AutoReStart = process.AutoReStartUnexpected
	_ process.AutoReStart = process.AutoReStartTrue
	_ process.AutoReStart = process.AutoReStartFalse
	_ process.State       = process.Stopped
	_                     = [...]int{process.Starting, process.Running, process.Backoff, process.Stopping, process.Exited, process.Fatal, process.Unknown}
	_                     = process.Info{
		Name: "", Description: "", Start: 0, Stop: 0, Now: 0, State: 0, StateName: "", SpawnErr: "", ExitStatus: 0, Logfile: "",
		StdoutLogfile: "", StderrLogfile: "", Pid: 0,
	}
	_ = process.ProcOptions{
		Name: "", Command: "", Args: []string{}, Directory: "", AutoStart: true, StartSecs: 1, AutoReStart: "", ExitCodes: []int{},
		StartRetries: 3, RestartPause: 0, User: "", Priority: 999, StdoutLogfile: "", StdoutLogFileMaxBytes: 0,
		StdoutLogFileBackups: 0, RedirectStderr: false, StderrLogfile: "", StderrLogFileMaxBytes: 0, StderrLogFileBackups: 0,
		StopAsGroup: false, KillAsGroup: false, StopSignal: []string{}, StopWaitSecs: 10, KillWaitSecs: 2,
		Environment: (*gmap.StrStrMap)(nil), RestartWhenBinaryChanged: false, ExtraFiles: []*os.File{}, Extend: (*gmap.AnyAnyMap)(nil),
	}
)
