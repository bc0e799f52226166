package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/bench/internal/contest"
)

// Figures writes a table for each cell. base is the name of the row that others are compared with, empty for a contest,
// where they are compared with the best rival and the floor.
func Figures(w io.Writer, rows []contest.Row, base string) {
	for len(rows) > 0 {
		cell, n := rows[0].Cell, 1
		for n < len(rows) && rows[n].Cell == cell {
			n++
		}
		fmt.Fprintf(w, "### %s\n\n", cell)
		cellTable(rows[:n], base).write(w)
		fmt.Fprintln(w)
		rows = rows[n:]
	}
}

func cellTable(rows []contest.Row, base string) *table {
	t := &table{head: []string{"", "calls/s", "to best peer", "to floor", "p50 µs", "p99 µs", "p999 µs",
		"CPU µs/call, client + server", "allocs/call", "B/call", "peak MiB"}}
	if base != "" {
		t.head = append([]string{"", "calls/s", "to " + base}, t.head[4:]...)
	}
	for _, r := range rows {
		compared := []string{ratioText(r.Best), ratioText(r.Floor)}
		if base != "" {
			compared = []string{ratioText(r.Base)}
		}
		line := append([]string{r.Peer, thousands(r.PerSecond)}, compared...)
		t.add(append(line,
			micros(r.P50), micros(r.P99), micros(r.P999),
			pair(micros(r.Client.CPU), micros(r.Server.CPU)),
			pair(decimal(r.Client.Allocs, 1), decimal(r.Server.Allocs, 1)),
			pair(thousands(r.Client.Bytes), thousands(r.Server.Bytes)),
			pair(decimal(r.Client.Peak/(1<<20), 0), decimal(r.Server.Peak/(1<<20), 0)),
		)...)
	}
	return t
}

func pair(client, server string) string { return client + " + " + server }

func ratioText(v float64) string {
	if v == 0 {
		return "-"
	}
	return decimal(v, 2)
}

// micros returns nanoseconds in microseconds with three digits that count.
func micros(ns float64) string {
	switch us := ns / 1e3; {
	case us < 9.995:
		return decimal(us, 2)
	case us < 99.95:
		return decimal(us, 1)
	default:
		return thousands(us)
	}
}

func decimal(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

// thousands returns a whole number with a comma after every three digits.
func thousands(v float64) string {
	digits := decimal(v, 0)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
