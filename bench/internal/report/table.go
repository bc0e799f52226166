// Package report writes what was measured as Markdown and as a plot.
package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a Markdown table whose columns are padded, so that it is readable as it stands.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table; all columns but the first are numbers, on the right.
func (t *table) write(w io.Writer) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				fmt.Fprintf(w, "| %s%s |", cell, pad)
			} else {
				fmt.Fprintf(w, " %s%s |", pad, cell)
			}
		}
		fmt.Fprintln(w)
	}
	line(t.head)
	rule := make([]string, len(t.head))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
		if i > 0 {
			rule[i] = strings.Repeat("-", n-1) + ":"
		}
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
}
