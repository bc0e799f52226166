package dserver

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/osgochina/dmicro/dserver/internal/shell"
)

// minInterval is the shortest time between two frames of top.
const minInterval = 100 * time.Millisecond

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
		f.Processes, f.Methods = orEmpty(f.Processes), orEmpty(f.Methods)
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

// terminalOf returns the terminal that f is, nil if it is none.
func terminalOf(f *os.File) *os.File {
	if shell.IsTerminal(f) {
		return f
	}
	return nil
}
