package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunDrawsEveryDiagramBelowTheFolder(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "out")
	page := "# A\n```mermaid\nflowchart TD\n    a[\"x\"]\n```\n```sh\nls\n```\n"
	if err := os.Mkdir(filepath.Join(from, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(from, "sub", "a.md"), page)
	write(t, filepath.Join(from, "b.txt"), "```mermaid\nnot a document\n```\n")
	var stderr strings.Builder
	if code := run([]string{from, to}, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	// printf 'flowchart TD\n    a["x"]' | sha256sum
	const name = "b83a340ccb4b65c1973d2d02e9d70ae5a2092ef739290e5428335f48908f4535"
	files, err := filepath.Glob(filepath.Join(to, "*.svg"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != name+".svg" {
		t.Fatalf("pictures %v, %v, want one named %s", files, err, name)
	}
	svg, err := os.ReadFile(files[0])
	if err != nil || !strings.HasPrefix(string(svg), "<svg ") {
		t.Errorf("the picture is %s, %v", svg, err)
	}
}

func TestRunSaysWhereADiagramIsWrong(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	write(t, filepath.Join(from, "a.md"), "# A\n\n```mermaid\npie\n```\n")
	for want, args := range map[string][]string{
		"usage: ":     {from},
		"a.md:4: ":    {from, t.TempDir()},
		"no-such-dir": {filepath.Join(from, "no-such-dir"), t.TempDir()},
	} {
		var stderr strings.Builder
		if code := run(args, &stderr); code == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("exit code %d, %q, want a failure about %q", code, &stderr, want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
