package dserver

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// successor serves the control socket of an application under whose name this process runs, as the next process of a
// reload does.
func successor(t *testing.T, path string) *ctlServer {
	t.Helper()
	porttest.Released() // what the one before has closed
	c, err := newServer().openCtl(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCtlFollowsTheApplicationIntoItsNextProcess(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	getenv := func(key string) string {
		if key == instance.EnvDir {
			return e.dir
		}
		return ""
	}
	a := &app{console: console{getenv: getenv}, server: newServer(), name: "App", debug: true}
	a.server.answerTime = polltest.Patience
	s := &ctlSession{app: a}
	path, err := s.socketPath()
	if err != nil {
		t.Fatal(err)
	}
	if err := instance.Prepare(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	pid, err := instance.Lock(filepath.Join(filepath.Dir(path), "App.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first := successor(t, path)
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	gone, notices, stop := s.watch()
	defer stop()
	ctx := context.Background()

	first.close()
	second := successor(t, path)
	select {
	case <-notices:
	case <-gone:
		t.Fatal("given up while the application runs")
	}
	if err := s.call(ctx, methodVersion, nil, new(versionInfo), "", msgLost); err != nil {
		t.Errorf("the next process is not asked: %v", err)
	}
	if err := s.reconnect(ctx); err != nil {
		t.Errorf("a connection that is well: %v", err)
	}

	second.close()
	if err := pid.Release(); err != nil { // nobody has the name any more
		t.Fatal(err)
	}
	for {
		select {
		case <-notices:
		case <-gone:
			if s.reconnect(ctx) == nil {
				t.Error("connected to nobody")
			}
			return
		case <-time.After(reconnectTime + 10*time.Second):
			t.Fatal("still waiting for an application that has stopped")
		}
	}
}
