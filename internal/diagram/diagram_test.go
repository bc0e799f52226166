package diagram

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const flow = `flowchart TD
    top["<b>T</b> top"]
    side["beside"]
    mid["a<br/>b & c"]
    low["low"]
    top --> side
    top --> mid
    side --> low
    mid --> more
    more --> low
`

const calls = `sequenceDiagram
    participant C as caller
    participant S as server
    C->>C: BeforeWriteCall
    C->>S: CALL: header
    Note over S: handler
    S->>C: REPLY
`

var elements = regexp.MustCompile(`<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>`)

// texts are the words of a picture, and where they stand.
func texts(t *testing.T, svg string) (words []string, x, y map[string]float64) {
	t.Helper()
	x, y = map[string]float64{}, map[string]float64{}
	for _, m := range elements.FindAllStringSubmatch(svg, -1) {
		words = append(words, m[3])
		var errX, errY error
		x[m[3]], errX = strconv.ParseFloat(m[1], 64)
		y[m[3]], errY = strconv.ParseFloat(m[2], 64)
		if err := errors.Join(errX, errY); err != nil {
			t.Fatal(err)
		}
	}
	return words, x, y
}

func TestFlowChartStandsInRowsAndColumns(t *testing.T) {
	t.Parallel()
	svg, err := SVG(strings.Replace(flow, `    low["low"]`, "    low[\"low\"]\n    more[\"more\"]", 1))
	if err != nil {
		t.Fatal(err)
	}
	words, x, y := texts(t, svg)
	if want := []string{"T top", "beside", "a", "b &amp; c", "low", "more"}; !slices.Equal(words, want) {
		t.Errorf("words %q, want %q", words, want)
	}
	if x["T top"] != x["a"] || x["a"] != x["more"] || x["more"] != x["low"] || x["beside"] <= x["a"] {
		t.Errorf("the longest way is to stand in the first column, what is beside it right of it: %v", x)
	}
	if y["T top"] >= y["a"] || y["a"] != y["beside"] || y["b &amp; c"] >= y["more"] || y["more"] >= y["low"] {
		t.Errorf("rows are not in the order of the arrows: %v", y)
	}
	if n := strings.Count(svg, "marker-end"); n != 5 {
		t.Errorf("%d arrows, want 5", n)
	}
	wellFormed(t, svg)
}

func TestSequenceKeepsTheOrder(t *testing.T) {
	t.Parallel()
	svg, err := SVG(calls)
	if err != nil {
		t.Fatal(err)
	}
	words, x, y := texts(t, svg)
	if want := []string{"caller", "server", "BeforeWriteCall", "CALL: header", "handler", "REPLY"}; !slices.Equal(words, want) {
		t.Errorf("words %q, want %q", words, want)
	}
	if !slices.IsSortedFunc(words[2:], func(a, b string) int { return int(y[a] - y[b]) }) {
		t.Errorf("messages are not below one another: %v", y)
	}
	if x["handler"] != x["server"] || x["REPLY"] != (x["caller"]+x["server"])/2 {
		t.Errorf("a note belongs on its line, a message between two: %v", x)
	}
	wellFormed(t, svg)
}

func TestWhatIsNotUnderstoodIsAnError(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                   "",
		"another kind":              "pie\n",
		"a line of a flow chart":    "flowchart TD\na[\"x\"]\na ==> a\n",
		"an unknown box":            "flowchart TD\na[\"x\"]\na --> b\n",
		"a box twice":               "flowchart TD\na[\"x\"]\na[\"y\"]\n",
		"a circle":                  "flowchart TD\na[\"x\"]\nb[\"y\"]\na --> b\nb --> a\n",
		"an arrow over a box":       "flowchart TD\na[\"x\"]\nb[\"y\"]\nc[\"z\"]\na --> b\nb --> c\na --> c\n",
		"a line of a sequence":      "sequenceDiagram\nloop forever\n",
		"an unknown participant":    "sequenceDiagram\nparticipant A as a\nA->>B: x\n",
		"the same participant":      "sequenceDiagram\nparticipant A as a\nparticipant A as b\n",
		"a note over nobody":        "sequenceDiagram\nNote over A: x\n",
		"a circle from a box to it": "flowchart TD\na[\"x\"]\na --> a\n",
	} {
		if svg, err := SVG(text); err == nil {
			t.Errorf("%s: drawn as %s", name, svg)
		}
	}
	if _, err := SVG("pie\n"); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v, want ErrUnknown", err)
	}
}

var fences = regexp.MustCompile("(?s)```mermaid\n(.*?)```")

func TestDiagramsOfTheDocumentsAreDrawn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	found := fences.FindAllStringSubmatch(string(text), -1)
	if len(found) != 2 {
		t.Errorf("%d diagrams found, want the layers and a call", len(found))
	}
	for _, f := range found {
		svg, err := SVG(f[1])
		if err != nil {
			t.Error(err)
		}
		wellFormed(t, svg)
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
	}
}

func FuzzSVG(f *testing.F) {
	f.Add(flow)
	f.Add(calls)
	f.Add("flowchart TD\na[\"<b>\"]\na --> a")
	f.Fuzz(func(t *testing.T, text string) {
		svg, err := SVG(text)
		if (err == nil) == (svg == "") {
			t.Errorf("picture %q, error %v", svg, err)
		}
	})
}
