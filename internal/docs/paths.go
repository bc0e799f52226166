package docs

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// CheckPaths returns a fault for every path in a code span, a shell fence or an indented command that begins with a folder of
// fsys, and leads nowhere. An asterisk stands for anything. Paths in foreign are those of others; below .cache is what the
// Makefile's commands leave, and not checked.
func CheckPaths(fsys fs.FS, foreign []string, documents []Document) ([]string, error) {
	top, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("docs: paths: %w", err)
	}
	folders := make(map[string]bool)
	for _, e := range top {
		folders[e.Name()] = e.IsDir() && e.Name() != ".cache"
	}
	var faults []string
	check := func(d Document, text string, line int) {
		for _, word := range strings.Fields(text) {
			name := strings.TrimRight(strings.TrimSuffix(strings.TrimPrefix(word, "./"), "/..."), ".,;:/")
			first, _, nested := strings.Cut(name, "/")
			if !nested || !folders[first] || slices.Contains(foreign, name) {
				continue
			}
			if found, err := fs.Glob(fsys, path.Clean(name)); err != nil || len(found) == 0 {
				faults = append(faults, fmt.Sprintf("%s:%d: there is no %s", d.Path, line, name))
			}
		}
	}
	for _, d := range documents {
		for _, s := range d.Spans {
			check(d, s.Text, s.Line)
		}
		for _, s := range d.commands() {
			check(d, s.Text, s.Line)
		}
	}
	return faults, nil
}

// commands are the lines of shell fences, and those that are indented as a command is.
func (d Document) commands() []Span {
	var lines []Span
	inside := false
	for i, line := range strings.Split(d.Text, "\n") {
		info, mark := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case mark:
			inside = info == "sh"
		case inside, strings.HasPrefix(line, "    ") && !strings.HasPrefix(strings.TrimSpace(line), "-"):
			command, _, _ := strings.Cut(line, " #")
			lines = append(lines, Span{strings.TrimSpace(command), i + 1})
		}
	}
	return lines
}
