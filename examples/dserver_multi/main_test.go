//go:build !windows

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv("EXAMPLE_APP") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// freePort returns a port of this machine that nothing listens on, below those that systems hand out for port 0.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10_000 + rand.IntN(20_000))
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("no free port among a hundred")
	return ""
}

func TestBothServicesAnswerAfterAReload(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "ex") // a short path: sockets allow some 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	web := freePort(t)
	env := append(os.Environ(), "EXAMPLE_APP=1", "DMICRO_RUN_DIR="+dir, "HOME="+dir, "WEB_PORT="+web, "CALL_PORT="+freePort(t))
	run := func(args ...string) string {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env, cmd.Dir = env, dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	clock := regexp.MustCompile(`^\d\d:\d\d:\d\d, says process (\d+)\n$`)
	ask := func() string {
		client := http.Client{Timeout: 10 * time.Second}
		resp, err := client.Get("http://127.0.0.1:" + web)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		m := clock.FindStringSubmatch(string(text))
		if m == nil {
			t.Fatalf("%s: %q", resp.Status, text)
		}
		return m[1]
	}
	run("start", "-d")
	defer run("stop")
	before := ask()
	run("reload")
	for deadline := time.Now().Add(20 * time.Second); ask() == before; {
		if time.Now().After(deadline) {
			t.Fatal("the process of before still answers")
		}
	}
}
