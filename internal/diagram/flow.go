package diagram

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	nodePattern = regexp.MustCompile(`^(\w+)\["(.*)"\]$`)
	edgePattern = regexp.MustCompile(`^(\w+) --> (\w+)$`)
	tagPattern  = regexp.MustCompile(`</?b>`)
)

// gap is what lies between boxes.
const gap = 36

// node is a box. Its row is the length of the longest way to it; among those of one row, the one from which the longest way leads
// on stands in the first column.
type node struct {
	lines         []string
	next          []*node
	row, col      int
	below         int // the length of the longest way from it
	x, y          float64
	width, height float64
}

func (n *node) centre() (x, y float64) { return n.x + n.width/2, n.y + n.height/2 }

func flowchart(lines []string) (string, error) {
	nodes, err := parseFlow(lines)
	if err != nil {
		return "", err
	}
	if err := rank(nodes); err != nil {
		return "", err
	}
	w, h := place(nodes)
	var c canvas
	for _, n := range nodes {
		for _, to := range n.next {
			path, err := route(n, to)
			if err != nil {
				return "", err
			}
			c.arrow(path)
		}
	}
	for _, n := range nodes {
		c.box(n.x, n.y, n.width, n.height)
		x, _ := n.centre()
		for i, l := range n.lines {
			c.text(x, n.y+pad+line*(float64(i)+0.75), l, i == 0)
		}
	}
	return c.document(w, h, "flow chart"), nil
}

// parseFlow returns the boxes in the order of the text.
func parseFlow(lines []string) ([]*node, error) {
	var nodes []*node
	named := make(map[string]*node)
	for _, l := range lines {
		if m := nodePattern.FindStringSubmatch(l); m != nil && named[m[1]] == nil {
			n := &node{lines: strings.Split(tagPattern.ReplaceAllString(m[2], ""), "<br/>")}
			named[m[1]] = n
			nodes = append(nodes, n)
			continue
		}
		m := edgePattern.FindStringSubmatch(l)
		if m == nil || named[m[1]] == nil || named[m[2]] == nil {
			return nil, fmt.Errorf("diagram: flow chart: what is %q?", l)
		}
		named[m[1]].next = append(named[m[1]].next, named[m[2]])
	}
	return nodes, nil
}

// rank finds rows and columns.
func rank(nodes []*node) error {
	// As many rounds as there are nodes: the longest way without a circle has one edge less.
	for range nodes {
		for _, n := range nodes {
			for _, to := range n.next {
				to.row = max(to.row, n.row+1)
				n.below = max(n.below, to.below+1)
			}
		}
	}
	for _, n := range nodes {
		if n.row >= len(nodes) {
			return fmt.Errorf("diagram: flow chart: a circle through %q", n.lines[0])
		}
		for _, other := range nodes {
			if other != n && other.row == n.row && (other.below > n.below || other.below == n.below && before(nodes, other, n)) {
				n.col++
			}
		}
	}
	return nil
}

// before reports whether a comes before b in the text.
func before(nodes []*node, a, b *node) bool {
	for _, n := range nodes {
		if n == a || n == b {
			return n == a
		}
	}
	return false
}

// place gives every box its place and size, and returns those of the picture.
func place(nodes []*node) (w, h float64) {
	columns, rows := make([]float64, len(nodes)), make([]float64, len(nodes))
	for _, n := range nodes {
		for _, l := range n.lines {
			n.width = max(n.width, width(l)+2*pad)
		}
		n.height = line*float64(len(n.lines)) + 2*pad
		columns[n.col] = max(columns[n.col], n.width)
		rows[n.row] = max(rows[n.row], n.height)
	}
	for _, n := range nodes {
		n.x, n.y, n.width = 1, 1, columns[n.col]
		for _, before := range columns[:n.col] {
			n.x += before + gap
		}
		for _, before := range rows[:n.row] {
			n.y += before + gap
		}
		w, h = max(w, n.x+n.width+1), max(h, n.y+n.height+1)
	}
	return w, h
}

// route is the way of an arrow: straight down, or with one corner where the columns are different.
func route(from, to *node) (string, error) {
	fx, fy := from.centre()
	tx, ty := to.centre()
	switch {
	case from.col == to.col && to.row == from.row+1:
		return fmt.Sprintf("M%.1f %.1fV%.1f", fx, from.y+from.height, to.y), nil
	case from.col < to.col:
		return fmt.Sprintf("M%.1f %.1fH%.1fV%.1f", from.x+from.width, fy, tx, to.y), nil
	case from.col > to.col:
		return fmt.Sprintf("M%.1f %.1fV%.1fH%.1f", fx, from.y+from.height, ty, to.x+to.width), nil
	}
	return "", fmt.Errorf("diagram: flow chart: the arrow from %q to %q would cross a box", from.lines[0], to.lines[0])
}
