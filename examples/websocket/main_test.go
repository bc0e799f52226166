package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// soon is a time that only a hang can take.
const soon = 30 * time.Second

func serve(t *testing.T) (srv *websocket.Server, addr string) {
	t.Helper()
	srv, err := newServer(0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.ListenAndServeJSON() }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	polltest.Until(t, "the server listens", func() bool { return len(srv.Addrs()) > 0 })
	return srv, srv.Addrs()[0].String()
}

func TestWhatOneSaysEverybodyHears(t *testing.T) {
	t.Parallel()
	_, addr := serve(t)
	resp, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the page: %s", resp.Status)
	}
	heard := make(chan string, 10_000) // never full
	var sessions []drpc.Session
	for range 2 {
		client := websocket.NewClient("/ws", drpc.EndpointConfig{})
		t.Cleanup(func() { _ = client.Close() })
		drpc.HandlePush(client, "/said", func(_ drpc.PushCtx, text *string) *drpc.Status { heard <- *text; return nil })
		sess, stat := client.Dial(addr)
		if stat != nil {
			t.Fatal(stat)
		}
		sessions = append(sessions, sess)
	}
	polltest.Until(t, "both hear it", func() bool {
		var reached int
		if stat := sessions[0].Call("/say", " hello ", &reached).Status(); stat != nil {
			t.Fatal(stat)
		}
		return reached == 2
	})
	if text := <-heard; text != "hello" {
		t.Errorf("heard %q", text)
	}
	if stat := sessions[0].Call("/say", " ", nil).Status(); stat.Code() != 1001 {
		t.Errorf("saying nothing: %v", stat)
	}
}

// browser finds a Chromium; CHROMIUM names one that is elsewhere.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Skip("no Chromium here: the page is not tested in a browser; make browser fetches one")
	return ""
}

// The page itself, in a browser: it calls, gets pushes, answers calls of the server and sees failures.
func TestThePageInABrowser(t *testing.T) {
	path := browser(t)
	srv, addr := serve(t)
	srv.HandleFunc("/test", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<!doctype html><script src="dmicro.js"></script><script src="test.js"></script>`))
	})
	srv.HandleFunc("/test.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(browserTest))
	})
	results := make(chan string, 1)
	drpc.HandlePush(srv, "/result", func(_ drpc.PushCtx, text *string) *drpc.Status { results <- *text; return nil })
	drpc.HandleCall(srv, "/back", func(c drpc.CallCtx, arg *[]int) (int, *drpc.Status) {
		var n int
		stat := c.Session().Call("/sum", *arg, &n, drpc.WithContext(c.Context())).Status()
		return n, stat
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*soon)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--user-data-dir="+t.TempDir(),
		"--remote-debugging-port=0", "http://"+addr+"/test")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out := new(strings.Builder)
	cmd.Stderr = out
	endTogether(cmd)
	if err := cmd.Start(); err != nil {
		t.Skipf("Chromium does not start: %v", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	select {
	case got := <-results:
		if got != "ok" {
			t.Errorf("in the browser: %s", got)
		}
	case err := <-exited:
		t.Skipf("Chromium does not run here: %v\n%s", err, out)
	case <-ctx.Done():
		t.Error("the page never tells a result")
	}
	cancel()
	<-exited
}

// browserTest pushes "ok", or what went wrong, as /result.
const browserTest = `"use strict";
(async () => {
  const server = new DMicro(location.origin.replace(/^http/, "ws") + "/ws");
  const want = (what, got, wanted) => { if (got !== wanted) throw new Error(what + ": " + got + ", want " + wanted); };
  let result = "ok";
  try {
    const pushed = new Promise((resolve) => server.onPush("/said", resolve));
    server.onPush("/sum", (list) => list.reduce((a, b) => a + b, 0));
    const text = "hällo \"世界\" \\ 😀\u0001\n.";
    want("reached", await server.call("/say", text), 1);
    want("pushed", await pushed, text);
    want("called back", await server.call("/back", [1, 2, 3]), 6);
    const refused = await server.call("/say", "").then(() => ({ code: 0 }), (err) => err);
    want("refused", refused.code, 1001);
    const lost = await server.call("/nobody").then(() => ({ code: 0 }), (err) => err);
    want("not found", lost.code, 404);
    const big = "x".repeat(900);
    want("many", (await Promise.all(Array.from({ length: 50 }, () => server.call("/say", big)))).join(""), "1".repeat(50));
  } catch (err) {
    result = String(err);
  }
  server.push("/result", result);
})();`
