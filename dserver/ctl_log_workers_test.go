//go:build !windows

package dserver

import (
	"regexp"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

func TestLogOfTheMasterHasTheLinesOfItsWorkers(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "multi,user=chatty")
	p := e.serve()
	log := e.begin("ctl", "log", "-l", "warn")
	line := regexp.MustCompile(`\[WARN\] user: chat \d+ .* of (\d+)\n`)
	polltest.Until(t, "lines of the worker", func() bool { return len(line.FindAllString(log.out.String(), 3)) == 3 })
	if strings.Contains(log.out.String(), "[INFO]") {
		t.Errorf("a level below the one that was asked for:\n%s", log.out.String())
	}
	before := line.FindStringSubmatch(log.out.String())[1]
	e.run("ctl", "reload", "UserBox").want(t, codeOK)
	polltest.Until(t, "lines of the next worker", func() bool {
		for _, m := range line.FindAllStringSubmatch(log.out.String(), -1) {
			if m[1] != before {
				return true
			}
		}
		return false
	})
	e.run("stop").want(t, codeOK)
	if code := p.wait(); code != codeOK {
		t.Errorf("exit code %d", code)
	}
}

func TestRelayedLinesCarryTheirServiceAndKeepTheirLevel(t *testing.T) {
	t.Parallel()
	h := newLogHub()
	sub := &logSub{level: logger.LevelWarning, queue: make(chan string, 10)}
	h.list.Store(&[]*logSub{sub})
	for _, line := range []string{"2026 [WARN] late", "2026 [INFO] fine", "no tag", "2026 [ODD] tag"} {
		h.relay("user", line)
	}
	close(sub.queue)
	var got []string
	for line := range sub.queue {
		got = append(got, line)
	}
	if want := "2026 [WARN] user: late|user: no tag|user: 2026 [ODD] tag"; strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}
