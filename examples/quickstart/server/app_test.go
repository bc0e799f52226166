//go:build !windows

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/examples/internal/apptest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

// The client is built and run as its user would, and so is the server.
func TestClientGetsTheSumFromTheServer(t *testing.T) {
	t.Parallel()
	apptest.DependOn("../client")
	app := apptest.New(t)
	client := filepath.Join(app.Dir, "client")
	if out, err := exec.Command("go", "build", "-o", client, "../client").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	port := fmt.Sprint(porttest.Free(t))
	app.Run("start", "-d", "--port="+port)
	defer app.Run("stop")
	var out []byte
	polltest.Until(t, "the client has an answer", func() (ok bool) {
		var err error
		out, err = exec.Command(client, "-addr", "127.0.0.1:"+port).CombinedOutput()
		return err == nil
	})
	if string(out) != "result: 15\n" {
		t.Errorf("the client prints %q", out)
	}
	if routes := app.Run("ctl", "routes"); !strings.Contains(routes, "/math/add") {
		t.Errorf("ctl routes says\n%s", routes)
	}
}
