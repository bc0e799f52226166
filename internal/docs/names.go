package docs

import (
	"fmt"
	"go/types"
	"regexp"
	"strings"
)

// namePattern finds qualified exported names: a package, a name, and a field or method at most.
var namePattern = regexp.MustCompile(`(?:^|[^\w./"-])([a-z]\w*)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)

// CheckNames returns a fault for every qualified name in a code span whose package is in imports and lacks it.
func CheckNames(c *Compiler, imports map[string]string, documents []Document) []string {
	var faults []string
	broken := make(map[string]bool)
	for _, d := range documents {
		for _, span := range d.Spans {
			for _, m := range namePattern.FindAllStringSubmatch(span.Text, -1) {
				path := imports[m[1]]
				if path == "" || broken[path] {
					continue
				}
				ok, err := c.Has(path, m[2])
				switch {
				case err != nil:
					broken[path] = true // once is enough
					faults = append(faults, fmt.Sprintf("%s:%d: %v", d.Path, span.Line, err))
				case !ok:
					faults = append(faults, fmt.Sprintf("%s:%d: %s has no %s", d.Path, span.Line, path, m[2]))
				}
			}
		}
	}
	return faults
}

// codePair is a number beside the constant that it is the value of, in a sentence or a table.
var codePair = regexp.MustCompile("(-?\\d+)(?: \\||,)? `(?:drpc|status)\\.(Code\\w+)`")

// CheckCodes returns a fault for every status code that stands beside a constant of the package at path and is not its value.
func CheckCodes(c *Compiler, path string, documents []Document) ([]string, error) {
	pkg, err := c.importer.Import(path)
	if err != nil {
		return nil, fmt.Errorf("docs: codes: %w", err)
	}
	var faults []string
	for _, d := range documents {
		for i, line := range strings.Split(d.Text, "\n") {
			for _, m := range codePair.FindAllStringSubmatch(line, -1) {
				value, ok := pkg.Scope().Lookup(m[2]).(*types.Const)
				if ok && value.Val().ExactString() != m[1] {
					faults = append(faults, fmt.Sprintf("%s:%d: %s is %s, not %s", d.Path, i+1, m[2], value.Val(), m[1]))
				}
			}
		}
	}
	return faults, nil
}
