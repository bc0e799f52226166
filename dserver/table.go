package dserver

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// textTable is a table with a box around it and cells aligned to the left.
type textTable struct {
	header []string
	rows   [][]string
	paint  func(column int, padded string) string // colours a cell; nil for none
}

// String draws the table.
func (t textTable) String() string {
	widths := t.widths()
	var b strings.Builder
	rule(&b, widths, "┌", "┬", "┐")
	line(&b, widths, t.header, nil)
	rule(&b, widths, "├", "┼", "┤")
	for _, row := range t.rows {
		line(&b, widths, row, t.paint)
	}
	rule(&b, widths, "└", "┴", "┘")
	return b.String()
}

// shrink cuts the cells of one column so that the table fits into so many columns of the terminal; 0 is any number. The
// column keeps a few characters at least.
func (t textTable) shrink(column, columns int) {
	widths := t.widths()
	total := 1
	for _, w := range widths {
		total += w + 3
	}
	if columns == 0 || total <= columns {
		return
	}
	room := max(widths[column]-(total-columns), 8)
	for _, row := range t.rows {
		row[column] = runewidth.Truncate(row[column], room, "…")
	}
}

func (t textTable) widths() []int {
	widths := make([]int, len(t.header))
	for i, cell := range t.header {
		widths[i] = runewidth.StringWidth(cell)
	}
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	return widths
}

func rule(b *strings.Builder, widths []int, left, middle, right string) {
	parts := make([]string, len(widths))
	for i, w := range widths {
		parts[i] = strings.Repeat("─", w+2)
	}
	b.WriteString(left + strings.Join(parts, middle) + right + "\n")
}

func line(b *strings.Builder, widths []int, cells []string, paint func(int, string) string) {
	for i, cell := range cells {
		padded := runewidth.FillRight(cell, widths[i])
		if paint != nil {
			padded = paint(i, padded)
		}
		b.WriteString("│ " + padded + " ")
	}
	b.WriteString("│\n")
}
