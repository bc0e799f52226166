//go:build !windows

package graceful

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/porttest"
)

func TestInheritListenerBindsBeforeAnybodyListens(t *testing.T) {
	t.Parallel()
	u, f := first(t, nil)
	port, web := freePort(t), freePort(t)
	path := filepath.Join(t.TempDir(), "s")
	err := u.setInheritListener([]InheritAddr{
		{Network: "tcp", Host: "127.0.0.1", Port: port},
		{Network: "unix", Host: path},
		{Network: "http", Host: "127.0.0.1", Port: web, ServerName: "api"},
		{Network: "http", Host: "127.0.0.1", Port: web},
		{Network: "https", Host: "127.0.0.1", Port: web, ServerName: "api", TlsConfig: new(tls.Config)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for network, addr := range map[string]string{"tcp": "127.0.0.1:" + port, "unix": path} {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mustListen(t, u, network, addr).Accept(); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	}
	var servers map[string]ghttpAddrs
	if err := json.Unmarshal([]byte(f.env[ghttpName]), &servers); err != nil {
		t.Fatal(err)
	}
	for _, item := range []string{servers["api"].HTTP, servers["api"].HTTPS, servers["default"].HTTP} {
		addr, number, _ := strings.Cut(item, "#")
		fd, err := strconv.Atoi(number)
		if err != nil || addr != "127.0.0.1:"+web {
			t.Fatalf("%q", f.env[ghttpName])
		}
		file := os.NewFile(uintptr(fd), "ghttp") // as ghttp does
		ln, err := net.FileListener(file)
		if err != nil || ln.Addr().String() != addr {
			t.Fatalf("%v", err)
		}
		_ = ln.Close()
		_ = file.Close()
	}
	if i := slices.Index(strangers, ghttpName); i < 0 {
		t.Error("a successor would get descriptor numbers of this process")
	}
}

func TestOnlyGhttpIsToldOfItsSockets(t *testing.T) {
	t.Parallel()
	u, f := first(t, nil)
	if err := u.setInheritListener([]InheritAddr{{Network: "tcp", Host: "127.0.0.1", Port: freePort(t)}}); err != nil {
		t.Fatal(err)
	}
	if text, ok := f.env[ghttpName]; ok {
		t.Errorf("ghttp is told %q", text)
	}
	if item, err := u.ghttpItem("tcp", "127.0.0.1:1"); err == nil || item != "" {
		t.Errorf("a socket that is not held: %q", item)
	}
}

func TestHoldFailsWhereListenWould(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	u, _ := first(t, nil)
	if err := u.Hold(t.Context(), "tcp", taken.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("an address that is taken: %v", err)
	}
	if err := u.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := u.Hold(t.Context(), "tcp", "127.0.0.1:"+freePort(t)); err == nil {
		t.Error("an address is held for a process that has stopped")
	}
}

func TestVariableOfAnOlderProcessThatCannotBeReadFails(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.env[olderChildName], f.env[olderSocketsName] = "true", `{"tcp":"x"}`
	if u, err := newUpgrader(f.system()); err == nil {
		t.Errorf("%+v", u)
	}
	if len(f.env) != 0 {
		t.Errorf("%v is left for programs that this process starts", f.env)
	}
}

func TestBadInheritAddressesAreRefused(t *testing.T) {
	t.Parallel()
	for _, a := range []InheritAddr{
		{Network: "tcp", Host: "127.0.0.1", Port: "0"},
		{Network: "tcp", Host: "127.0.0.1"},
		{Network: "tcp", Host: "127.0.0.1", Port: "70000"},
		{Network: "quic", Host: "127.0.0.1", Port: "80"},
		{Network: "https", Host: "127.0.0.1", Port: "443"},
	} {
		u, _ := first(t, nil)
		if err := u.setInheritListener([]InheritAddr{a}); err == nil {
			t.Errorf("%+v was taken", a)
		}
	}
}

func TestLeaveRunsThePlanAndExits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first, before error
		hang          bool
		code          int
		says          string
	}{
		"well":       {},
		"first":      {first: errors.New("no first sweep"), code: 1, says: "no first sweep"},
		"before":     {before: errors.New("not closed"), code: 1, says: "not closed"},
		"takes long": {hang: true, code: 1, says: "took longer than 50ms"},
	} {
		u, f := ready(t, nil)
		ln := mustListen(t, u, "tcp", "127.0.0.1:"+freePort(t))
		addr := ln.Addr().String()
		open := func() bool {
			porttest.Released()
			c, err := net.Dial("tcp", addr)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		}
		release, ended := make(chan struct{}), make(chan struct{})
		u.setShutdown(time.Second, func() error {
			if !open() {
				t.Errorf("%s: closed in the first sweep", name)
			}
			return tt.first
		}, func() error {
			defer close(ended)
			if open() {
				t.Errorf("%s: open before the exit", name)
			}
			if tt.hang {
				<-release
			}
			return tt.before
		})
		if u.shutdown.limit != minShutdown {
			t.Errorf("limit %v", u.shutdown.limit)
		}
		limit := time.Duration(0)
		if tt.hang {
			limit = 50 * time.Millisecond
		}
		u.leave(limit)
		if !slices.Equal(f.exits, []int{tt.code}) {
			t.Errorf("%s: exits %v", name, f.exits)
		}
		if said := errors.Join(f.told...); (said != nil) != (tt.says != "") || said != nil && !strings.Contains(said.Error(), tt.says) {
			t.Errorf("%s: it says %v, want %q", name, said, tt.says)
		}
		close(release)
		<-ended
	}
	u, f := ready(t, nil)
	u.setShutdown(-1, nil, nil)
	if u.leave(0); u.shutdown.limit != 0 || !slices.Equal(f.exits, []int{0}) {
		t.Errorf("%v, exits %v", u.shutdown.limit, f.exits)
	}
}
