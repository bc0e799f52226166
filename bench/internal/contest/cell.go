// Package contest runs peers against each other: every row of a cell in a server and a client process of its own, row
// after row, round after round.
package contest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/bench/internal/load"
)

// Setting is how many connections and callers there are, under the letter that flags and reports have for it.
type Setting struct {
	Letter         string
	Conns, Callers int
	// Bodies are the sizes that are measured.
	Bodies []int
}

// Cell is a setting with one size of body.
type Cell struct {
	// Letter is that of the setting.
	Letter string `json:"letter"`
	load.Shape
}

// Settings are all settings.
func Settings() []Setting {
	return []Setting{
		{"a", 1, 1, []int{128, 1 << 10, 64 << 10}},
		{"b", 1, 100, []int{128, 1 << 10, 64 << 10}},
		{"c", 10, 100, []int{128, 1 << 10, 64 << 10}},
		{"d", 10, 1000, []int{1 << 10}},
	}
}

// Cells returns the cells of the settings and sizes that are listed, separated by commas; an empty list is all there are.
func Cells(letters, bodies string) ([]Cell, error) {
	sizes, err := parseSizes(bodies)
	if err != nil {
		return nil, err
	}
	wanted := strings.Split(letters, ",")
	var cells []Cell
	for _, s := range Settings() {
		if letters != "" && !slices.Contains(wanted, s.Letter) {
			continue
		}
		for _, size := range s.Bodies {
			if len(sizes) == 0 || slices.Contains(sizes, size) {
				cells = append(cells, Cell{s.Letter, load.Shape{Conns: s.Conns, Callers: s.Callers, Body: size}})
			}
		}
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("there is no cell with settings %q and bodies %q", letters, bodies)
	}
	return cells, nil
}

func parseSizes(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var sizes []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("size of a body: %w", err)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// String names the cell as a reader of the report knows it.
func (c Cell) String() string {
	return fmt.Sprintf("(%s) %s x %s, %s", c.Letter, count(c.Conns, "connection"), count(c.Callers, "caller"), Size(c.Body))
}

// Size returns a number of bytes with its unit.
func Size(n int) string {
	if n >= 1<<10 && n%(1<<10) == 0 {
		return strconv.Itoa(n>>10) + " KiB"
	}
	return strconv.Itoa(n) + " B"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
