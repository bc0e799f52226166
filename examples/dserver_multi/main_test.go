//go:build !windows

package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/osgochina/dmicro/examples/internal/apptest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

func TestBothServicesAnswerAfterAReload(t *testing.T) {
	t.Parallel()
	web := fmt.Sprint(porttest.Free(t))
	app := apptest.New(t, "WEB_PORT="+web, fmt.Sprint("CALL_PORT=", porttest.Free(t)))
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
	app.Run("start", "-d")
	defer app.Run("stop")
	before := ask()
	app.Run("reload")
	polltest.Until(t, "another process answers", func() bool { return ask() != before })
}
