package diagram

import (
	"errors"
	"fmt"
	"html"
	"strings"
)

// Sizes in pixels. The letters are monospaced, so the width of a text is known without measuring it.
const (
	letter = 7.9 // the width of one, a little more than it takes
	line   = 17  // from one line to the next
	pad    = 10
)

// ErrUnknown is the error of a text that is neither of the two kinds of diagram.
var ErrUnknown = errors.New("diagram: neither a flowchart TD nor a sequenceDiagram")

// SVG draws a Mermaid text, without its fence.
func SVG(text string) (string, error) {
	var lines []string
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return "", ErrUnknown
	}
	switch lines[0] {
	case "flowchart TD":
		return flowchart(lines[1:])
	case "sequenceDiagram":
		return sequence(lines[1:])
	}
	return "", ErrUnknown
}

// canvas collects the elements of a picture.
type canvas struct{ strings.Builder }

// document is the picture at its full size.
func (c *canvas) document(width, height float64, label string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="%s" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" `+
		`font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13" fill="var(--text)">`+
		`<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">`+
		`<path d="M0 0L8 4L0 8z" fill="var(--soft)"/></marker></defs>`+"\n%s</svg>\n",
		html.EscapeString(label), width, height, width, height, c.String())
}

func (c *canvas) box(x, y, width, height float64) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4" fill="var(--shade)" stroke="var(--line)"/>`+"\n", x, y, width, height)
}

// arrow is a line along a path in the notation of SVG.
func (c *canvas) arrow(path string) {
	fmt.Fprintf(c, `<path d="%s" fill="none" stroke="var(--soft)" marker-end="url(#tip)"/>`+"\n", path)
}

// text is one line, centred at x, with its base line at y.
func (c *canvas) text(x, y float64, text string, bold bool) {
	weight := ""
	if bold {
		weight = ` font-weight="600"`
	}
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="middle"%s>%s</text>`+"\n", x, y, weight, html.EscapeString(text))
}

// width is what a text takes.
func width(text string) float64 { return letter * float64(len([]rune(text))) }
