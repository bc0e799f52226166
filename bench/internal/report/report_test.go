package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/bench/internal/contest"
	"github.com/osgochina/dmicro/bench/internal/crowd"
	"github.com/osgochina/dmicro/bench/internal/load"
	"github.com/osgochina/dmicro/bench/peers"
)

func cellOf(letter string, body int) contest.Cell {
	return contest.Cell{Letter: letter, Shape: load.Shape{Conns: 1, Callers: 100, Body: body}}
}

func TestNumbersAreReadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{thousands(0), "0"},
		{thousands(999.6), "1,000"},
		{thousands(1234567), "1,234,567"},
		{micros(1234), "1.23"},
		{micros(9996), "10.0"},
		{micros(99_960), "100"},
		{micros(1.5e9), "1,500,000"},
		{ratioText(0), "-"},
		{ratioText(1.005), "1.00"},
		{share(25*time.Millisecond, time.Second), "2.50 % of a core"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestTableIsAligned(t *testing.T) {
	t.Parallel()
	tab := &table{head: []string{"", "µs"}}
	tab.add("much longer", "1")
	tab.add("x", "1,000")
	var b bytes.Buffer
	tab.write(&b)
	const want = "|             |    µs |\n| ----------- | ----: |\n| much longer |     1 |\n| x           | 1,000 |\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestGoalsAreMarked(t *testing.T) {
	t.Parallel()
	row := contest.Row{
		Cell: cellOf("b", 128), Peer: peers.DMicro, Best: 3.5, Floor: 0.4, BestP99: 0.9,
		Client: contest.Costs{Allocs: 3.05}, Server: contest.Costs{Allocs: 5},
	}
	other := row
	other.Peer = "arpc"
	var b bytes.Buffer
	Goals(&b, []contest.Row{row, other})
	var marks []string
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "| (b)") {
			cells := strings.Split(line, "|")
			marks = append(marks, strings.TrimSpace(cells[len(cells)-2]))
		}
	}
	if got, want := strings.Join(marks, " "), "yes **no** yes yes **no**"; got != want {
		t.Errorf("marks are %s, want %s in\n%s", got, want, b.String())
	}
	b.Reset()
	Goals(&b, []contest.Row{{Cell: cellOf("b", 7), Peer: peers.DMicro}})
	if strings.Contains(b.String(), "yes") {
		t.Errorf("a cell without a goal: %s", b.String())
	}
}

func TestFeatureGoalsAreMarked(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	FeatureGoals(&b, []contest.Row{
		{Cell: cellOf("a", 128), Peer: fivePlugins, Base: 0.95},
		{Cell: cellOf("b", 128), Peer: fivePlugins, Base: 0.85},
		{Cell: cellOf("b", 128), Peer: "tls", Base: 0.1},
	})
	if page := b.String(); strings.Count(page, "0.95 |    yes |") != 1 || strings.Count(page, "0.85 | **no** |") != 1 ||
		strings.Contains(page, "0.10") {
		t.Errorf("marked otherwise:\n%s", page)
	}
	if _, err := peers.Named(fivePlugins); err != nil {
		t.Error(err)
	}
}

func TestEveryCellButOneHasAGoal(t *testing.T) {
	t.Parallel()
	cells, err := contest.Cells("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if _, ok := goalOf(c); ok == (c.Letter == "a" && c.Body == 64<<10) {
			t.Errorf("%s: goal %v", c, ok)
		}
	}
}

// wellFormed fails unless text is XML with as many elements of a name as wanted.
func wellFormed(t *testing.T, text []byte, element string, want int) {
	t.Helper()
	n := 0
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == element {
			n++
		}
	}
	if n != want {
		t.Errorf("%d elements %s, want %d", n, element, want)
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	t.Parallel()
	rows := []contest.Row{
		{Cell: cellOf("a", 128), Peer: `<&">`, PerSecond: 10, Best: 2},
		{Cell: cellOf("a", 128), Peer: "y"},
		{Cell: cellOf("b", 128), Peer: "z", PerSecond: 5, Base: 1},
	}
	var b bytes.Buffer
	if err := Plot(&b, "a < b", rows, func(string) string { return "ours" }); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.Bytes(), "rect", 1+len(rows))
	if err := Plot(full{}, "", rows, func(string) string { return "" }); err == nil {
		t.Error("wrote to a full disk")
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestSaveWritesAllThreeFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := Contest{
		Origin: Here(Command("peers", []string{"-out", filepath.Join(dir, "out")})), Rounds: 1, Duration: time.Second,
		Peers: peers.Frameworks(), Heading: "DMicro beside its peers", Goals: Goals,
		Rows: []contest.Row{{Cell: cellOf("b", 128), Peer: peers.DMicro, PerSecond: 7, Best: 4}},
	}
	if err := c.Save(dir, "peers"); err != nil {
		t.Fatal(err)
	}
	read := func(ext string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, "peers"+ext))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	page := string(read(".md"))
	for _, want := range []string{"go run ./cmd/peers -out out", "| ours |", "**floor-mux**", "at least 3.0", "peers.svg"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page, dir) || len(host) > 3 && strings.Contains(page, host) {
		t.Errorf("the page names the machine:\n%s", page)
	}
	wellFormed(t, read(".svg"), "rect", 2)
	var back Contest
	if err := json.Unmarshal(read(".json"), &back); err != nil || back.Rows[0] != c.Rows[0] {
		t.Errorf("read back %+v, %v", back.Rows, err)
	}
	if err := c.Save(filepath.Join(dir, "nowhere"), "peers"); err == nil {
		t.Error("saved to nowhere")
	}
}

func TestCrowdsAreReported(t *testing.T) {
	t.Parallel()
	idle := crowd.Crowd{
		Network: "tcp", Asked: 100, Sessions: 50, Limit: "there is a limit", Clients: 2, Accepting: time.Second,
		Server: crowd.Each{Resident: 17 << 10}, Client: crowd.Each{Resident: 15 << 10},
		Watched: time.Second, EmptyCPU: 2 * time.Millisecond, BareCPU: 2 * time.Millisecond, ServerCPU: 9 * time.Millisecond,
	}
	calling := crowd.Crowd{Network: "tcp", Sessions: 10, Watched: time.Second, ServerCPU: time.Second, Calls: &crowd.Calls{Made: 1000}}
	var b bytes.Buffer
	Crowds(&b, Origin{}, []crowd.Crowd{idle, calling})
	page := b.String()
	for _, want := range []string{"50 sessions instead of 100, because there is a limit", "17.0 KiB | **no**", "15.0 KiB |    yes", "1,000"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Count(page, "**no**") != 2 {
		t.Errorf("a session too big and an endpoint too busy are marked otherwise:\n%s", page)
	}
}
