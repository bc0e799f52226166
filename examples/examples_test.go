// Package examples tests the programs below it: each says at its end, after "// Output:", what it prints.
package examples

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/examples/internal/apptest"
)

// ownTest are the examples that run until somebody stops them, or that need what is not everywhere. Their directories have
// tests of their own.
var ownTest = map[string]bool{
	"dserver_multi": true, "dserver_single": true, "graceful": true, "quickstart": true, "registry_etcd": true,
	"registry_mdns": true, "reload": true, "supervisor": true, "websocket": true,
}

func TestExamplesThatAreNotRunHereHaveATest(t *testing.T) {
	t.Parallel()
	for name := range ownTest {
		var tests []string
		for _, pattern := range []string{"*_test.go", "*/*_test.go"} {
			found, err := filepath.Glob(filepath.Join(name, pattern))
			if err != nil {
				t.Fatal(err)
			}
			tests = append(tests, found...)
		}
		if len(tests) == 0 {
			t.Errorf("%s has no test of its own", name)
		}
	}
}

// names returns the names of all examples.
func names(t *testing.T) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "internal" {
			all = append(all, e.Name())
		}
	}
	return all
}

var outputBlock = regexp.MustCompile(`(?s)\n// (Output|Unordered output):\n((?://.*\n)+)$`)

var argumentsLine = regexp.MustCompile(`(?m)^// Arguments: (.*)$`)

// arguments returns what the example in dir wants to be started with.
func arguments(t *testing.T, dir string) []string {
	t.Helper()
	if m := argumentsLine.FindStringSubmatch(readFile(t, filepath.Join(dir, "main.go"))); m != nil {
		return strings.Fields(m[1])
	}
	return nil
}

// wanted returns what the example in dir says that it prints, and whether the order of the lines is chance.
func wanted(t *testing.T, dir string) (text string, unordered bool) {
	t.Helper()
	m := outputBlock.FindStringSubmatch(readFile(t, filepath.Join(dir, "main.go")))
	if m == nil {
		t.Fatal("main.go does not end with a comment that begins with Output:, and says what the program prints")
	}
	for line := range strings.Lines(m[2]) {
		text += strings.TrimPrefix(strings.TrimPrefix(line, "//"), " ")
	}
	return text, m[1] != "Output"
}

func TestEveryExamplePrintsWhatItSays(t *testing.T) {
	t.Parallel()
	apptest.DependOn("..")
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, "./...").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, name := range names(t) {
		if ownTest[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, unordered := wanted(t, name)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, name), arguments(t, name)...)
			cmd.Dir = t.TempDir() // an example leaves nothing in the repository
			var out, errOut bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errOut
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, out.String(), errOut.String())
			}
			if got := out.String(); got != want && !(unordered && sameLines(got, want)) {
				t.Errorf("printed:\n%s\nsays:\n%s\nto standard error:\n%s", got, want, errOut.String())
			}
		})
	}
}

func sameLines(a, b string) bool {
	count := make(map[string]int)
	for line := range strings.Lines(a) {
		count[line]++
	}
	for line := range strings.Lines(b) {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// TestReadmeIsTwoLinesAndACommand holds the form of all of them: what the example shows, in at most two lines, and the one
// command that runs it from the root of the repository.
func TestReadmeIsTwoLinesAndACommand(t *testing.T) {
	t.Parallel()
	index := readFile(t, "README.md")
	for _, name := range names(t) {
		if !strings.Contains(index, "("+name+")") {
			t.Errorf("the list in README.md does not have %s", name)
		}
		var prose, commands []string
		for line := range strings.Lines(readFile(t, filepath.Join(name, "README.md"))) {
			switch command, indented := strings.CutPrefix(line, "    "); {
			case indented:
				commands = append(commands, command)
			case strings.TrimSpace(line) != "":
				prose = append(prose, line)
			}
		}
		if len(prose) == 0 || len(prose) > 2 {
			t.Errorf("%s/README.md says what it is in %d lines, want one or two", name, len(prose))
		}
		if len(commands) != 1 || !strings.Contains(commands[0], "./examples/"+name) && commands[0] != "make demo\n" {
			t.Errorf("%s/README.md runs it by %q, want one command", name, commands)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
