package dserver

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gogf/gf/v2"

	"github.com/osgochina/dmicro"
)

const banner = `
    ____  __  ____
   / __ \/  |/  (_)_____________
  / / / / /|_/ / / ___/ ___/ __ \
 / /_/ / /  / / / /__/ /  / /_/ /
/_____/_/  /_/_/\___/_/   \____/
`

// versionInfo is the version block, as data.
type versionInfo struct {
	Version   string `json:"version"`
	Go        string `json:"go"`
	DMicro    string `json:"dmicro"`
	GF        string `json:"gf"`
	GitCommit string `json:"git_commit,omitempty"`
	BuildTime string `json:"build_time,omitempty"`
	Authors   string `json:"authors,omitempty"`
	Path      string `json:"path"`
}

// ownVersion describes this process. What the build did not set is taken from
// what the Go linker recorded.
func ownVersion() versionInfo {
	commit, time := recorded()
	path, _ := os.Executable()
	return versionInfo{
		Version:   cmp.Or(BuildVersion, "No Version Info"),
		Go:        cmp.Or(BuildGoVersion, runtime.Version()),
		DMicro:    dmicro.Version,
		GF:        gf.VERSION,
		GitCommit: cmp.Or(BuildGitCommitId, commit),
		BuildTime: cmp.Or(BuildTime, time),
		Authors:   Authors,
		Path:      path,
	}
}

// recorded returns the commit and its time as the Go linker recorded them.
func recorded() (commit, time string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.time":
			time = s.Value
		}
	}
	return commit, time
}

// block is the version block under its banner.
func (v versionInfo) block() string {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(cmp.Or(Logo, banner), "\n"))
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	for _, line := range [][2]string{
		{"Version:", v.Version}, {"Go Version:", v.Go}, {"DMicro Version:", v.DMicro}, {"GF Version:", v.GF},
		{"Git Commit:", v.GitCommit}, {"Build Time:", v.BuildTime}, {"Authors:", v.Authors}, {"Install Path:", v.Path},
	} {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-16s %s", line[0], line[1]), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Version prints the version block of this binary to the standard output.
func (s *DServer) Version() { fmt.Print(ownVersion().block()) }
