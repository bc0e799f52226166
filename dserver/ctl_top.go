package dserver

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver/internal/shell"
)

// minInterval is the shortest time between two frames of top.
const minInterval = 100 * time.Millisecond

// topFrame is what happened between two looks at the application.
type topFrame struct {
	Seconds   float64      `json:"seconds"`
	Processes []topProcess `json:"processes"`
	Methods   []topMethod  `json:"methods"`
}

type topProcess struct {
	ctlProcess
	CPU      float64 `json:"cpu"` // of one processor: 1 is all of it
	Sessions int     `json:"sessions"`
	Serving  int     `json:"serving"`
	Calling  int     `json:"calling"`
	InRate   float64 `json:"bytesInPerSecond"`
	OutRate  float64 `json:"bytesOutPerSecond"`
	Calls    float64 `json:"requestsPerSecond"`
}

type topMethod struct {
	PID     int     `json:"pid"`
	Service string  `json:"service,omitempty"`
	Kind    string  `json:"kind"`
	Path    string  `json:"path"`
	Calls   float64 `json:"requestsPerSecond"`
	Errors  float64 `json:"failuresPerSecond"`
	Running int     `json:"inFlight"`
	P50     float64 `json:"p50Seconds"`
	P99     float64 `json:"p99Seconds"`
}

// frameOf compares two looks that are so many seconds apart. A process that was not there before counts from zero.
func frameOf(before, after ctlLoads, seconds float64) topFrame {
	f := topFrame{Seconds: seconds}
	for _, now := range after.List {
		var was ctlLoad
		if i := slices.IndexFunc(before.List, func(l ctlLoad) bool { return l.PID == now.PID }); i >= 0 {
			was = before.List[i]
		}
		p := topProcess{
			ctlProcess: now.ctlProcess, CPU: (now.CPU - was.CPU) / seconds,
			Sessions: now.Sessions, Serving: now.Serving, Calling: now.Calling,
			InRate: rate(was.BytesIn, now.BytesIn, seconds), OutRate: rate(was.BytesOut, now.BytesOut, seconds),
		}
		for _, m := range now.Methods {
			top := methodFrame(now, was.method(m), m, seconds)
			p.Calls += top.Calls
			f.Methods = append(f.Methods, top)
		}
		f.Processes = append(f.Processes, p)
	}
	slices.SortStableFunc(f.Methods, func(a, b topMethod) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(b.Running, a.Running), cmp.Compare(a.Path, b.Path))
	})
	return f
}

// method returns what l has of the same method as m; the zero value if it has not seen it.
func (l ctlLoad) method(m ctlMethodLoad) ctlMethodLoad {
	i := slices.IndexFunc(l.Methods, func(o ctlMethodLoad) bool { return o.Kind == m.Kind && o.Path == m.Path })
	if i < 0 || l.Methods[i].Done > m.Done { // measured anew since
		return ctlMethodLoad{}
	}
	return l.Methods[i]
}

func methodFrame(p ctlLoad, was, now ctlMethodLoad, seconds float64) topMethod {
	latency := now.histogram()
	for i, n := range was.histogram() {
		latency[i] -= min(n, latency[i])
	}
	return topMethod{
		PID: p.PID, Service: p.Service, Kind: now.Kind, Path: now.Path,
		Calls: rate(was.Done, now.Done, seconds), Errors: rate(was.Failed, now.Failed, seconds), Running: now.Running,
		P50: latency.Quantile(0.5).Seconds(), P99: latency.Quantile(0.99).Seconds(),
	}
}

func (m ctlMethodLoad) histogram() (h drpc.Histogram) {
	for _, c := range m.Latency {
		if c[0] < uint64(len(h)) {
			h[c[0]] = c[1]
		}
	}
	return h
}

func rate(was, now uint64, seconds float64) float64 {
	if now < was {
		return 0
	}
	return float64(now-was) / seconds
}

// ctlTop shows what the application does: in place on a terminal until Ctrl-C, else once. It starts with a first look,
// since rates need two.
func ctlTop(ctx context.Context, s *ctlSession, _ []string) error {
	if s.interval < minInterval {
		return &exitError{code: codeUsage, err: fmt.Errorf(msgInterval.in(s.msg), minInterval)}
	}
	screen := s.newScreen()
	frames := s.frames
	if frames == 0 && !screen.live {
		frames = 1
	}
	ctx, stop := s.untilInterrupt(ctx)
	defer stop()
	var before ctlLoads
	if err := s.call(ctx, methodLoad, nil, &before, "", msgLost); err != nil {
		return err
	}
	defer screen.close()
	for n, then := 1, time.Now(); ; n++ {
		if !s.pause(ctx) {
			return nil
		}
		after, again, err := s.look(ctx)
		if err != nil {
			return s.unlessInterrupted(ctx, err)
		}
		now := time.Now()
		if again { // rates over a change of processes would be made up
			before, then = after, now
			n--
			continue
		}
		if err := s.printTop(screen, frameOf(before, after, now.Sub(then).Seconds())); err != nil || n == frames {
			return err
		}
		before, then = after, now
	}
}

// pause waits for the next frame. False means that the user does not want it.
func (s *ctlSession) pause(ctx context.Context) bool {
	timer := time.NewTimer(s.interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// look asks for the load, and asks again over the next connection where one takes the place of a lost one.
func (s *ctlSession) look(ctx context.Context) (loads ctlLoads, again bool, err error) {
	err = s.call(ctx, methodLoad, nil, &loads, "", msgLost)
	if err == nil || ctx.Err() != nil || !s.isLost() {
		return loads, false, err
	}
	if err = s.reconnect(ctx); err != nil {
		return loads, false, err
	}
	return loads, true, s.call(ctx, methodLoad, nil, &loads, "", msgLost)
}

// unlessInterrupted is err, but for what the end of ctx has brought about.
func (s *ctlSession) unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *ctlSession) printTop(screen *topScreen, f topFrame) error {
	if s.json {
		return s.printJSON(f)
	}
	return screen.draw(s.name, f)
}

// topScreen is where frames go: each in place of the one before on a terminal, one after the other elsewhere.
type topScreen struct {
	out     *ctlSession
	live    bool
	entered bool
}

func (s *ctlSession) newScreen() *topScreen {
	return &topScreen{out: s, live: s.terminal != nil && !s.json}
}

// The sequences that every terminal of today understands.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // a screen of its own, without cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toTop       = "\x1b[H"
	endOfLine   = "\x1b[K\r\n"
	clearBelow  = "\x1b[J"
)

// draw writes a frame with one write, so that none is seen half.
func (t *topScreen) draw(name string, f topFrame) error {
	columns, rows := 0, 0
	if t.live {
		columns, rows = shell.Size(t.out.terminal)
	}
	text := topText(name, f, time.Now(), columns)
	if !t.live {
		_, err := fmt.Fprintln(t.out.out, text)
		return err
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if rows > 1 && len(lines) > rows-1 {
		lines = lines[:rows-1]
	}
	b := toTop + strings.Join(lines, endOfLine) + endOfLine + clearBelow
	if !t.entered {
		t.entered, b = true, enterScreen+b
	}
	_, err := fmt.Fprint(t.out.out, b)
	return err
}

func (t *topScreen) close() {
	if t.entered {
		fmt.Fprint(t.out.out, leaveScreen)
	}
}

// topText is a frame in words. Columns is the width that there is, 0 for any.
func topText(name string, f topFrame, now time.Time, columns int) string {
	processes := textTable{header: []string{
		"Pid", "Service", "Gen", "Uptime", "Memory", "CPU", "Sessions", "Calls/s", "Serving", "Calling", "In/s", "Out/s",
	}}
	for _, p := range f.Processes {
		processes.rows = append(processes.rows, []string{
			fmt.Sprint(p.PID), printable(p.Service), fmt.Sprint(p.Generation), uptime(seconds(p.Uptime)), byteText(float64(p.Memory)),
			fmt.Sprintf("%.0f%%", 100*p.CPU), fmt.Sprint(p.Sessions), countText(p.Calls), fmt.Sprint(p.Serving),
			fmt.Sprint(p.Calling), byteText(p.InRate), byteText(p.OutRate),
		})
	}
	methods := textTable{header: []string{"Method", "Kind", "Pid", "Calls/s", "Errors/s", "In flight", "p50", "p99"}}
	for _, m := range f.Methods {
		methods.rows = append(methods.rows, []string{
			printable(m.Path), m.Kind, fmt.Sprint(m.PID), countText(m.Calls), countText(m.Errors), fmt.Sprint(m.Running),
			latencyText(m.P50), latencyText(m.P99),
		})
	}
	methods.shrink(0, columns)
	return fmt.Sprintf("%s  %s\n%s%s", printable(name), now.Format(time.DateTime), processes, methods)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// countText writes a rate: small ones with a digit behind the point.
func countText(n float64) string {
	if n > 0 && n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// byteText writes a number of bytes in the unit that suits it.
func byteText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 {
			if unit == "B" || n >= 100 {
				return fmt.Sprintf("%.0f %s", n, unit)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}

// latencyText writes a duration with three digits, nothing for none.
func latencyText(s float64) string {
	d := seconds(s)
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", 1e3*d.Seconds())
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// terminalOf returns the terminal that f is, nil if it is none.
func terminalOf(f *os.File) *os.File {
	if shell.IsTerminal(f) {
		return f
	}
	return nil
}
