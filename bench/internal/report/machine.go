package report

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Origin says where and of what figures were taken. It names no host and no path.
type Origin struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	System  string `json:"system"`
	Go      string `json:"go"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Command string `json:"command"`
}

// Here describes this machine and this tree. command is how to take the figures again.
func Here(command string) Origin {
	return Origin{
		CPU:     field("/proc/cpuinfo", "model name", ":", runtime.GOARCH),
		Cores:   runtime.GOMAXPROCS(0),
		System:  field("/etc/os-release", "PRETTY_NAME", "=", runtime.GOOS),
		Go:      runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Commit:  commit(),
		Date:    time.Now().UTC().Format(time.DateOnly),
		Command: command,
	}
}

// Command returns the command line that args make of a program of this module. Directories are left out of it but for
// their last part.
func Command(program string, args []string) string {
	words := []string{"go", "run", "./cmd/" + program}
	for _, arg := range args {
		if filepath.IsAbs(arg) {
			arg = filepath.Base(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// field returns the value of the first line of a file that begins with key, or otherwise.
func field(file, key, sep, otherwise string) string {
	f, err := os.Open(file)
	if err != nil {
		return otherwise
	}
	defer func() { _ = f.Close() }() // it was only read
	for s := bufio.NewScanner(f); s.Scan(); {
		k, v, ok := strings.Cut(s.Text(), sep)
		if ok && strings.TrimSpace(k) == key {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return otherwise
}

// commit returns the commit of the tree, and whether Go files differ from it.
func commit() string {
	id, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	text := strings.TrimSpace(string(id))
	if exec.Command("git", "diff", "--quiet", "HEAD", "--", ":/*.go").Run() != nil {
		text += " with changes"
	}
	return text
}

// Write writes the description as a list.
func (o Origin) Write(w io.Writer) {
	fmt.Fprintf(w, "- Machine: %s, %d cores, %s, %s\n", o.CPU, o.Cores, o.System, o.Go)
	fmt.Fprintf(w, "- Commit %s, %s, in `bench/`: `%s`\n", o.Commit, o.Date, o.Command)
}
