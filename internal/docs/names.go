package docs

import (
	"fmt"
	"regexp"
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
