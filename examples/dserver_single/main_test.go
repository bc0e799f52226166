//go:build !windows

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/apptest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

func TestCallsAreAnsweredByTheNextProcessAfterAReload(t *testing.T) {
	t.Parallel()
	app, port := apptest.New(t), porttest.Free(t)
	config := filepath.Join(app.Dir, "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "[sandbox.doctor]\nListenIP = \"127.0.0.1\"\nListenPort = %d\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	app.Run("start", "-d", "-c", config)
	defer app.Run("stop")
	if out := app.Run("ctl", "ps"); !strings.Contains(out, "heart") || !strings.Contains(out, "doctor") {
		t.Errorf("ctl ps says\n%s", out)
	}
	client, err := drpc.New(drpc.EndpointConfig{RedialTimes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	sess, stat := client.Dial(fmt.Sprintf("127.0.0.1:%d", port))
	if !stat.OK() {
		t.Fatal(stat)
	}
	pulse := regexp.MustCompile(`^\d+ beats in process (\d+)$`)
	ask := func() string {
		t.Helper()
		var reply string
		if stat := sess.Call("/pulse", nil, &reply).Status(); !stat.OK() {
			t.Fatal(stat)
		}
		m := pulse.FindStringSubmatch(reply)
		if m == nil {
			t.Fatalf("the reply is %q", reply)
		}
		return m[1]
	}
	before := ask()
	app.Run("reload")
	polltest.Until(t, "another process answers", func() bool { return ask() != before })
}
