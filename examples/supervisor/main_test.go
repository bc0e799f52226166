//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/supervisor/ini"
)

// output is what was printed so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) has(texts ...string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, text := range texts {
		if !strings.Contains(o.text.String(), text) {
			return false
		}
	}
	return true
}

func TestTheProgramsOfAFileRunAndStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "programs.ini")
	text := `
[program:tick]
command = /bin/sh -c 'while :; do echo tick; sleep 0.1; done'
stopasgroup = true
stdout_logfile = %(here)s/tick.log
[program:bad]
command = %(here)s/no-such-program
startretries = 1
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() { done <- run(ctx, file, &out) }()
	polltest.Until(t, "both programs", func() bool { return out.has("tick       Running", "bad        Fatal") })
	polltest.Until(t, "output", func() bool {
		log, _ := os.ReadFile(filepath.Join(dir, "tick.log"))
		return strings.HasPrefix(string(log), "tick\n")
	})
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "bad is Fatal") {
		t.Error(err)
	}
	if !out.has("tick       Stopped") {
		t.Error(out.text.String())
	}
}

func TestTheFileBesideTheExampleIsGood(t *testing.T) {
	t.Parallel()
	programs, err := ini.LoadFile("programs.ini")
	if err != nil || len(programs) != 3 {
		t.Errorf("%d programs, %v", len(programs), err)
	}
}
