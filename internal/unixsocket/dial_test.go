//go:build !windows

package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPeerLearnsTheNameOfADiallerThatLeavesNoFile(t *testing.T) {
	t.Parallel()
	path, local := socketPath(t), socketPath(t)
	ln, _ := bind(t, path)
	stale(t, local) // as of a process that was killed
	for range 2 {   // the second while the first one lasts
		conn, err := Dial(t.Context(), "unix", local, path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		peer, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = peer.Close() })
		if got := peer.RemoteAddr().String(); got != local {
			t.Errorf("the peer takes %s for %s", local, got)
		}
		if left, err := os.ReadDir(filepath.Dir(local)); err != nil || len(left) != 0 {
			t.Errorf("%v, %v are left", left, err)
		}
	}
}

func TestDialThatIsRefusedLeavesNoFile(t *testing.T) {
	t.Parallel()
	path, local := socketPath(t), socketPath(t)
	stale(t, path)
	if _, err := Dial(t.Context(), "unix", local, path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(local)); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

func TestDialFromNamesWithoutFiles(t *testing.T) {
	t.Parallel()
	if !IsAbstract("@x") {
		t.Skip("only Linux has them")
	}
	path := socketPath(t)
	bind(t, path)
	conn, err := Dial(t.Context(), "unix", "@"+path, path)
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.LocalAddr().(*net.UnixAddr).Name; got != "@"+path {
		t.Errorf("dialled from %s", got)
	}
	_ = conn.Close()
}
