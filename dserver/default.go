package dserver

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// The version block that "version" prints. The build sets these with -ldflags
// "-X github.com/osgochina/dmicro/dserver.BuildVersion=..."; a program may set
// Authors and Logo before Setup.
var (
	BuildVersion     string // version of the program
	BuildGoVersion   string // Go release it was built with; known without being set
	BuildGitCommitId string // commit; taken from the binary if it knows
	BuildTime        string // time of the build; the commit's time if that is all that is known
	Authors          string // who to ask
	Logo             string // banner above the block; a built-in one if empty
)

// defaultServer is the one server of the process, which the functions below
// act on.
var defaultServer = newServer()

// SetName names the server. Files, the shell's prompt and messages carry the
// name; without it they carry "DServer_" and the name of the binary.
func SetName(name string) { defaultServer.setName(name) }

// Setup runs the command that the process was started with, and ends the
// process with its exit code: 0 done, 1 failed, 2 wrong usage, 3 "status" of a
// server that does not run, 128+n when a second signal n ended it. It does not
// return. The functions given to it run if the command is "start".
func Setup(startFunction ...StartFunc) {
	os.Exit(defaultServer.run(systemIO(), os.Args, startFunction))
}

// CloseCtl turns the control socket and the command ctl off.
func CloseCtl() { defaultServer.closeCtl() }

// Shutdown asks the server for a graceful stop; see DServer.Shutdown.
func Shutdown() { defaultServer.Shutdown() }

// Cobra hands the root command to f, which may add commands of the program.
func Cobra(f func(rootCmd *cobra.Command)) { defaultServer.addCommands(f) }

// GetSandbox returns the sandbox called exactly sandboxName, nil if there is
// none.
func GetSandbox(sandboxName string) ISandbox {
	if u := defaultServer.unit(sandboxName); u != nil {
		return u.sandbox
	}
	return nil
}

func (s *DServer) setName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
}

// nameFor returns the name of the server, which is made from the binary's if
// the program set none.
func (s *DServer) nameFor(binary string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name == "" {
		return "DServer_" + filepath.Base(binary)
	}
	return s.name
}

func (s *DServer) closeCtl() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctlClosed = true
}

func (s *DServer) hasCtl() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ctlClosed
}

func (s *DServer) addCommands(f func(*cobra.Command)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f != nil {
		s.extend = append(s.extend, f)
	}
}
