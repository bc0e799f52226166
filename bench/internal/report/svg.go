package report

import (
	"fmt"
	"html"
	"io"

	"github.com/osgochina/dmicro/bench/internal/contest"
)

// Measures of the plot in pixels.
const (
	panelWidth = 420
	panelGap   = 24
	labelWidth = 92
	barHeight  = 16
	barGap     = 5
	titleSpace = 30
	valueSpace = 104
	columns    = 2
	topSpace   = 64
)

// style gives the plot colours of its own for readers with dark pages.
const style = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .head { font-size: 17px; font-weight: 600 }
  .title { font-size: 13px; font-weight: 600 }
  .page { fill: #ffffff }
  .ours { fill: #0a7c5a } .rival { fill: #8c959f } .floor { fill: #d0b26a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .page { fill: #0d1117 }
    .ours { fill: #2fbf91 } .rival { fill: #6e7681 } .floor { fill: #a58a45 }
  }
`

// Plot writes calls a second as bars, one panel a cell, as SVG. class says whether a row is "ours", "rival" or "floor".
func Plot(w io.Writer, title string, rows []contest.Row, class func(peer string) string) error {
	var panels [][]contest.Row
	for i, r := range rows {
		if i == 0 || r.Cell != rows[i-1].Cell {
			panels = append(panels, nil)
		}
		last := len(panels) - 1
		panels[last] = append(panels[last], r)
	}
	tallest := 0
	for _, p := range panels {
		tallest = max(tallest, len(p))
	}
	panelHeight := titleSpace + tallest*(barHeight+barGap) + panelGap
	width := columns*(panelWidth+panelGap) + panelGap
	height := topSpace + (len(panels)+columns-1)/columns*panelHeight
	out := &errWriter{w: w}
	out.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	out.printf("<style>%s</style>\n", style)
	out.printf(`<rect class="page" width="%d" height="%d"/>`+"\n", width, height)
	out.printf(`<text class="head" x="%d" y="34">%s</text>`+"\n", panelGap, html.EscapeString(title))
	for i, p := range panels {
		x := panelGap + i%columns*(panelWidth+panelGap)
		y := topSpace + i/columns*panelHeight
		panel(out, x, y, p, class)
	}
	out.printf("</svg>\n")
	return out.err
}

// panel draws one cell; the longest bar has the full width.
func panel(out *errWriter, x, y int, rows []contest.Row, class func(string) string) {
	out.printf(`<text class="title" x="%d" y="%d">%s</text>`+"\n", x, y+14, html.EscapeString(rows[0].Cell.String()))
	most := 0.0
	for _, r := range rows {
		most = max(most, r.PerSecond)
	}
	for i, r := range rows {
		top := y + titleSpace + i*(barHeight+barGap)
		length := 1.0
		if most > 0 {
			length = max(1, r.PerSecond/most*(panelWidth-labelWidth-valueSpace))
		}
		out.printf(`<text x="%d" y="%d" text-anchor="end">%s</text>`, x+labelWidth-6, top+12, html.EscapeString(r.Peer))
		out.printf(`<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`,
			html.EscapeString(class(r.Peer)), x+labelWidth, top, length, barHeight)
		out.printf(`<text x="%.1f" y="%d">%s</text>`+"\n",
			float64(x+labelWidth)+length+6, top+12, html.EscapeString(barText(r)))
	}
}

// barText is the figure behind a bar, with what it is compared with.
func barText(r contest.Row) string {
	text := thousands(r.PerSecond)
	switch {
	case r.Best > 0:
		text += " (" + decimal(r.Best, 2) + "×)"
	case r.Base > 0:
		text += " (" + decimal(r.Base, 2) + "×)"
	}
	return text
}

// errWriter remembers the first error.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) printf(format string, args ...any) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, format, args...)
	}
}
