package docs

import (
	"fmt"
	"strings"
)

// CheckForm returns a fault for what readers would see otherwise than it was meant, and the other checks not at all: a fence
// that is never closed, a code span that does not end on its line, and a row of a table that has more or fewer cells than the
// row above it.
func CheckForm(documents []Document) []string {
	var faults []string
	for _, d := range documents {
		open, cells := 0, 0
		fault := func(line int, text string) { faults = append(faults, fmt.Sprintf("%s:%d: %s", d.Path, line, text)) }
		for i, line := range strings.Split(d.Text, "\n") {
			trimmed := strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(trimmed, "```"):
				if open != 0 {
					open = 0
				} else {
					open = i + 1
				}
			case open != 0:
				continue
			case strings.Count(line, "`")%2 != 0:
				fault(i+1, "a code span does not end on its line")
			}
			before := cells
			cells = 0
			if open == 0 && strings.HasPrefix(trimmed, "|") {
				cells = cellsOf(trimmed)
			}
			switch {
			case before == 0 || open != 0 || trimmed == "" || strings.HasPrefix(trimmed, "<"):
			case cells == 0:
				fault(i+1, "a line right below a table, which it becomes a row of")
			case cells != before:
				fault(i+1, fmt.Sprintf("a row of %d cells below one of %d", cells, before))
			}
		}
		if open != 0 {
			fault(open, "the fence is never closed")
		}
	}
	return faults
}

// cellsOf counts the cells of a row. A bar in a code span, or behind a backslash, parts nothing.
func cellsOf(row string) int {
	row = spanPattern.ReplaceAllString(strings.ReplaceAll(row, `\|`, ""), "")
	return strings.Count(strings.TrimSuffix(row, "|"), "|")
}
