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
// line in it, and is none of words: fields, configuration keys, metrics and tests that stand there without their package.
func CheckWords(words map[string]bool, documents []Document) []string {
	var faults []string
	for _, d := range documents {
		for _, span := range d.Spans {
			for _, m := range namedPattern.FindAllStringSubmatch(span.Text, -1) {
				if w := m[1]; codePattern.MatchString(w) && !words[w] {
					faults = append(faults, fmt.Sprintf("%s:%d: there is no %s in the code", d.Path, span.Line, w))
				}
			}
		}
	}
	return faults
}
