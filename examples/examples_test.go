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
)

// ownTest are the examples that run until somebody stops them. Their directories have tests of their own.
var ownTest = map[string]bool{
	"custom_proto": true, "dserver_multi": true, "graceful": true, "quickstart": true, "registry_etcd": true, "registry_mdns": true, "reload": true, "supervisor": true, "websocket": true,
}

var outputBlock = regexp.MustCompile(`(?s)\n// (Output|Unordered output):\n((?://.*\n)+)$`)

var argumentsLine = regexp.MustCompile(`(?m)^// Arguments: (.*)$`)

// arguments returns what the example in dir wants to be started with.
func arguments(t *testing.T, dir string) []string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if m := argumentsLine.FindStringSubmatch(string(source)); m != nil {
		return strings.Fields(m[1])
	}
	return nil
}

// wanted returns what the example in dir says that it prints, and whether the order of the lines is chance.
func wanted(t *testing.T, dir string) (text string, unordered bool) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	m := outputBlock.FindStringSubmatch(string(source))
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
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, "./...").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name == "internal" || ownTest[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkReadme(t, name)
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

// checkReadme wants the command that runs the example from the root of the repository.
func checkReadme(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if command := "go run ./examples/" + name; !strings.Contains(string(text), command) {
		t.Errorf("README.md does not say %q", command)
	}
}
