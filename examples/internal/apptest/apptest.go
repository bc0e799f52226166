// Package apptest runs an example that is an application as its user would, by its command line. Only tests import it.
package apptest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asApp makes a test binary the application.
const asApp = "EXAMPLE_APP"

// Main is for TestMain: it runs the tests, or main where the process is to be the application.
func Main(m *testing.M, main func()) {
	if os.Getenv(asApp) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// DependOn makes the calling test run again when a file below dir has changed, of which the go command knows nothing where another
// process reads it: without it the outcome of a test that builds programs is taken from the cache.
func DependOn(dir string) {
	// The go command sees which directories are read. What comes and goes meanwhile is none of its sources.
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && name != dir && (err != nil || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		return nil
	})
}

// App is an application in a directory of its own, which is gone after the test.
type App struct {
	t   *testing.T
	Dir string
	env []string
}

// New returns an application with these environment variables beside those of the test.
func New(t *testing.T, env ...string) *App {
	t.Helper()
	dir, err := os.MkdirTemp("", "ex") // a short path: sockets allow some 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	own := append(os.Environ(), asApp+"=1", "DMICRO_RUN_DIR="+dir, "HOME="+dir)
	return &App{t: t, Dir: dir, env: append(own, env...)}
}

// Run runs one command, which has to succeed, and returns what it prints.
func (a *App) Run(args ...string) string {
	a.t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env, cmd.Dir = a.env, a.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}
