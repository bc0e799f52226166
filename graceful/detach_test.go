//go:build !windows

package graceful

import (
	"context"
	"errors"
	"testing"
)

func TestDetachedProcessIsAFirstGenerationOfItsOwn(t *testing.T) {
	t.Parallel()
	launcher, f := first(t, func(*fakeChild) {})
	h, err := launcher.Detach(map[string]string{"daemon": "1"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.start(command{env: append(h.Env(), f.system().environ()...), files: h.Files()})
	if err != nil {
		t.Fatal(err)
	}
	h.Started()
	d := c.(*fakeChild).u
	if d == nil || d.Generation() != 1 || d.ParentGone() != nil || d.Value("daemon") != "1" {
		t.Fatalf("%+v, %v", d, c.(*fakeChild).err)
	}
	up := make(chan error, 1)
	go func() { up <- d.Ready() }()
	if err := h.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.GoAhead(); err != nil {
		t.Fatal(err)
	}
	if err := <-up; err != nil {
		t.Fatal(err)
	}
	h.Close()
	if err := d.Reload(context.Background(), Successor{ReadyTimeout: 1}); err == nil || errors.Is(err, ErrNotReady) {
		t.Errorf("a reload of the daemon: %v", err)
	}
}

func TestWhatServesCannotDetach(t *testing.T) {
	t.Parallel()
	u, f := ready(t, nil)
	if _, err := u.Detach(nil); !errors.Is(err, ErrHandedOver) {
		t.Errorf("%v", err)
	}
	sys := f.system()
	sys.supported = false
	other, err := newUpgrader(sys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Detach(nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestSuccessorGetsTheValuesOfItsReload(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	u, _ := ready(t, func(c *fakeChild) {
		got <- c.u.Value("stopped")
		_ = c.u.Ready()
	})
	s := quick
	s.Values = map[string]string{"stopped": "a,b"}
	if err := u.Reload(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	if v := <-got; v != "a,b" {
		t.Errorf("%q", v)
	}
}
