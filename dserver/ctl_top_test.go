package dserver

import (
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/osgochina/dmicro/drpc"
)

func TestFrameIsTheDifferenceOfTwoLooks(t *testing.T) {
	t.Parallel()
	load := func(pid int, done, failed, bytes uint64, latency ...[2]uint64) ctlLoad {
		return ctlLoad{
			ctlProcess: ctlProcess{PID: pid}, CPU: float64(done), BytesIn: bytes, BytesOut: 2 * bytes, Serving: 3,
			Methods: []ctlMethodLoad{{Kind: "CALL", Path: "/a", Done: done, Failed: failed, Running: 2, Latency: latency}},
		}
	}
	var slow, fast drpc.Histogram
	fastClass, slowClass := uint64(8), uint64(40)
	slow[slowClass], fast[fastClass] = 1, 1
	before := ctlLoads{List: []ctlLoad{load(1, 1000, 5, 1000, [2]uint64{slowClass, 1000}), load(2, 500, 0, 0)}}
	after := ctlLoads{List: []ctlLoad{
		load(1, 1020, 15, 3000, [2]uint64{slowClass, 1000}, [2]uint64{fastClass, 20}, [2]uint64{1 << 40, 1}),
		load(2, 10, 0, 0, [2]uint64{fastClass, 10}),  // measured anew
		load(3, 40, 40, 0, [2]uint64{slowClass, 40}), // not there before
	}}
	f := frameOf(before, after, 2)
	if len(f.Processes) != 3 || len(f.Methods) != 3 {
		t.Fatalf("%+v", f)
	}
	one := f.Processes[0]
	if one.CPU != 10 || one.Calls != 10 || one.InRate != 1000 || one.OutRate != 2000 || one.Serving != 3 {
		t.Errorf("%+v", one)
	}
	for i, want := range []topMethod{
		{PID: 3, Calls: 20, Errors: 20, P50: slow.Quantile(1).Seconds()},
		{PID: 1, Calls: 10, Errors: 5, P50: fast.Quantile(1).Seconds()},
		{PID: 2, Calls: 5, P50: fast.Quantile(1).Seconds()},
	} {
		want.Kind, want.Path, want.Running, want.P99 = "CALL", "/a", 2, want.P50
		if f.Methods[i] != want {
			t.Errorf("row %d: %+v\nwant %+v", i, f.Methods[i], want)
		}
	}
}

func TestTopFitsIntoTheTerminal(t *testing.T) {
	t.Parallel()
	f := topFrame{
		Processes: []topProcess{{}},
		Methods:   []topMethod{{Path: "/" + strings.Repeat("very/", 40) + "long\x1b[2J", Kind: "CALL", Calls: 1.25, P50: 0.0012, P99: 2}},
	}
	text := topText("app", f, time.Now(), 90)
	methods := text[strings.Index(text, "│ Method"):]
	for line := range strings.Lines(methods) {
		if w := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); w > 90 {
			t.Errorf("%d columns: %s", w, line)
		}
	}
	if strings.Contains(text, "\x1b") || !strings.Contains(text, "…") {
		t.Errorf("%q", text)
	}
	for _, want := range []string{"1.2", "1.2 ms", "2 s"} {
		if !strings.Contains(methods, want) {
			t.Errorf("lacks %q:\n%s", want, methods)
		}
	}
}

func TestBytesAreWrittenInTheUnitThatSuits(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1536: "1.5 KiB", 200 << 10: "200 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB", 7 << 40: "7.0 TiB",
	} {
		if got := byteText(n); got != want {
			t.Errorf("%v: %q, want %q", n, got, want)
		}
	}
}

func TestJoinedListsKeepTheBusiestAndCountAll(t *testing.T) {
	t.Parallel()
	s := ctlSessions{Total: 2, List: []ctlPeerNow{{ID: "a", BytesIn: 5}, {ID: "b"}}}
	s.join(ctlSessions{Total: 7, List: []ctlPeerNow{{ID: "c", Serving: 1}, {ID: "d", BytesOut: 6}}}, 3)
	if s.Total != 9 || len(s.List) != 3 || s.List[0].ID != "c" || s.List[1].ID != "d" || s.List[2].ID != "a" {
		t.Errorf("%+v", s)
	}
	r := ctlRoutes{Total: 2, List: []ctlRoute{{Path: "/b"}, {Path: "/b"}}}.cut()
	r.join(ctlRoutes{Total: 1, List: []ctlRoute{{Path: "/a", Service: "user"}}})
	if r.Total != 2 || len(r.List) != 2 || r.List[0].Path != "/a" {
		t.Errorf("%+v", r)
	}
}
