//go:build !windows

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/internal/porttest"
)

// program is the built example in a directory of its own.
type program struct {
	t    *testing.T
	path string
	dir  string
	port string
}

func build(t *testing.T) *program {
	t.Helper()
	dir, err := os.MkdirTemp("", "rl") // short: a socket's name must fit in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &program{t: t, path: filepath.Join(dir, "app"), dir: dir, port: fmt.Sprint(porttest.Free(t))}
	if out, err := exec.Command("go", "build", "-o", p.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return p
}

func (p *program) run(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.path, append(args, "--port="+p.port, "--ledger="+filepath.Join(p.dir, "ledger.txt"))...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "DMICRO_RUN_DIR="+p.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.run("start", "-d")
	out := p.run("load", "--reloads=2")
	p.run("stop")
	if strings.Count(out, "reloaded: process") != 2 || !strings.Contains(out, "failed 0, run twice 0, never run 0") {
		t.Error(out)
	}
}
