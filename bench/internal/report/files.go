package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/osgochina/dmicro/bench/internal/contest"
	"github.com/osgochina/dmicro/bench/peers"
)

// Contest is all there is to report of a measurement.
type Contest struct {
	Origin Origin        `json:"origin"`
	Rounds int           `json:"rounds"`
	Warmup time.Duration `json:"warmup"`
	// Duration is that of one row in one round.
	Duration time.Duration `json:"duration"`
	Runs     []contest.Run `json:"runs"`
	Rows     []contest.Row `json:"rows"`
	// Peers are the rows of each cell.
	Peers []peers.Peer `json:"-"`
	// Base is the name of the row that others are compared with; empty where they are compared with each other.
	Base string `json:"base,omitempty"`
	// Heading is that of the page, and Goals writes what has to hold.
	Heading string                         `json:"-"`
	Goals   func(io.Writer, []contest.Row) `json:"-"`
}

// Save writes name.md, name.svg and name.json into a directory that exists.
func (c Contest) Save(dir, name string) error {
	var plot bytes.Buffer
	title := "Calls a second, more is better (× of the best peer)"
	if c.Base != "" {
		title = "Calls a second, more is better (× of " + c.Base + ")"
	}
	if err := Plot(&plot, title, c.Rows, c.class); err != nil {
		return err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		ext  string
		data []byte
	}{{".md", c.page(name)}, {".svg", plot.Bytes()}, {".json", append(raw, '\n')}} {
		if err := os.WriteFile(filepath.Join(dir, name+file.ext), file.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// class says which colour the bar of a row has.
func (c Contest) class(peer string) string {
	if peer == c.Base {
		return "ours"
	}
	for _, p := range c.Peers {
		if p.Name == peer && p.Kind == peers.Ours && c.Base == "" {
			return "ours"
		}
		if p.Name == peer && p.Kind == peers.Floor {
			return "floor"
		}
	}
	return "rival"
}

// page is the report in Markdown.
func (c Contest) page(name string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\nWritten by a program; [README.md](README.md) says how to read it.\n\n", c.Heading)
	c.Origin.Write(&b)
	fmt.Fprintf(&b, "- Rounds: %d of %v a row, after %v to warm up; medians\n\n", c.Rounds, c.Duration, c.Warmup)
	b.WriteString("## What has to hold\n\n")
	c.Goals(&b, c.Rows)
	b.WriteByte('\n')
	fmt.Fprintf(&b, "## Figures\n\n![calls a second](%s.svg)\n\n", name)
	Figures(&b, c.Rows, c.Base)
	b.WriteString("## Rows\n\n")
	for _, p := range c.Peers {
		fmt.Fprintf(&b, "- **%s**: %s\n", p.Name, p.About)
	}
	fmt.Fprintf(&b, "\nEvery single run is in [%s.json](%s.json); times there are in nanoseconds.\n", name, name)
	return b.Bytes()
}
