package docs

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	wordPattern  = regexp.MustCompile(`[A-Za-z_]\w{2,}`)
	namedPattern = regexp.MustCompile(`(?:^|[^\w./-])([A-Za-z_]\w{2,})`)
	codePattern  = regexp.MustCompile(`[A-Z_]`)
	flagPattern  = regexp.MustCompile(`(?:^|\s)--([a-z]{3,})`)
	keyPattern   = regexp.MustCompile(`^(\w{3,})\s*=|^\[(\w+)`)
	envPattern   = regexp.MustCompile(`\bDMICRO_[A-Z_]+`)
)

// Words returns every word of three letters and more in the Go files below fsys: names, and what stands in texts, such as the keys
// of a file or the names of metrics.
func Words(fsys fs.FS) (map[string]bool, error) {
	words := make(map[string]bool)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		for _, w := range wordPattern.FindAll(text, -1) {
			words[string(w)] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("docs: words: %w", err)
	}
	return words, nil
}

// CheckWords returns a fault for every word in a code span that looks like a name of the code, having a capital letter or a low
// line in it, and is none of words: fields, metrics and tests that stand there without their package. The same goes for flags in
// code spans and behind programs of this module, for the tables and keys of configuration files, and for the variables of the
// environment, wherever they stand.
func CheckWords(words map[string]bool, documents []Document) []string {
	var faults []string
	check := func(d Document, line int, word string) {
		if !words[word] {
			faults = append(faults, fmt.Sprintf("%s:%d: there is no %s in the code", d.Path, line, word))
		}
	}
	for _, d := range documents {
		for _, span := range d.Spans {
			for _, m := range namedPattern.FindAllStringSubmatch(span.Text, -1) {
				if codePattern.MatchString(m[1]) {
					check(d, span.Line, m[1])
				}
			}
			for _, m := range flagPattern.FindAllStringSubmatch(span.Text, -1) {
				check(d, span.Line, m[1])
			}
		}
		for _, f := range d.Fences {
			for i, line := range strings.Split(f.Text, "\n") {
				if m := keyPattern.FindStringSubmatch(line); m != nil && f.isSettings() {
					check(d, f.Line+i, m[1]+m[2])
				}
				for _, m := range envPattern.FindAllString(line, -1) {
					check(d, f.Line+i, m)
				}
			}
		}
		for _, c := range d.commands() {
			if !strings.HasPrefix(c.Text, "./") {
				continue // a program of others
			}
			for _, m := range flagPattern.FindAllStringSubmatch(c.Text, -1) {
				check(d, c.Line, m[1])
			}
		}
	}
	return faults
}

// isSettings reports whether a fence is a file that a package of this module reads. Units of systemd are in the same format.
func (f Fence) isSettings() bool {
	return f.Info == "toml" || f.Info == "ini" && strings.Contains(f.Text, "[program:")
}
