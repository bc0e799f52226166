package netproto

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStdDialsWhatItListensOn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for network, address := range map[string]string{
		"tcp":        "127.0.0.1:0",
		"tcp4":       "127.0.0.1:0",
		"unix":       filepath.Join(t.TempDir(), "s"),
		"unixpacket": filepath.Join(t.TempDir(), "s"),
	} {
		tr, err := Get(network)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := tr.Listen(ctx, network, address)
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan net.Conn, 1)
		go func() {
			c, _ := ln.Accept()
			accepted <- c
		}()
		local := ""
		if !isUnix(network) {
			local = "127.0.0.1:0"
		}
		c, err := tr.Dial(ctx, network, local, ln.Addr().String())
		if err != nil {
			t.Fatalf("%s: %v", network, err)
		}
		peer := <-accepted
		if _, err = c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		b := make([]byte, 2)
		if n, err := peer.Read(b); err != nil || string(b[:n]) != "x" {
			t.Errorf("%s: read %q, %v", network, b[:n], err)
		}
		_ = c.Close()
		_ = peer.Close()
		_ = ln.Close()
	}
}

// A dialler with a path of its own dials again, although nobody has removed its file, and is known to its peer by it.
func TestDiallerOfAUnixSocketKeepsItsName(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, network := range []string{"unix", "unixpacket"} {
		dir := t.TempDir()
		local := filepath.Join(dir, "c")
		ln, err := (std{}).Listen(ctx, network, filepath.Join(dir, "s"))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c, err := (std{}).Dial(ctx, network, local, ln.Addr().String())
			if err != nil {
				t.Fatalf("%s: %v", network, err)
			}
			peer, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got := peer.RemoteAddr().String(); got != local {
				t.Errorf("%s: the peer calls it %s", network, got)
			}
			_ = c.Close()
			_ = peer.Close()
		}
		_ = ln.Close()
		if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
			t.Errorf("%s: left are %v, %v", network, files, err)
		}
	}
}

func TestUnknownNetworkNamesThoseThatExist(t *testing.T) {
	t.Parallel()
	_, err := Get("carrier-pigeon")
	var unknown *UnknownNetworkError
	if !errors.As(err, &unknown) || unknown.Network != "carrier-pigeon" {
		t.Fatalf("%v", err)
	}
	for _, network := range (std{}).Networks() {
		if !slices.Contains(unknown.Known, network) || !strings.Contains(err.Error(), network) {
			t.Errorf("%v: does not offer %s", err, network)
		}
	}
}

func TestSecondRegistrationPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), `"tcp" is registered twice`) {
			t.Fatalf("recovered %v", r)
		}
	}()
	Register(std{})
}

func TestDialRefusesBadLocalAddress(t *testing.T) {
	t.Parallel()
	if _, err := (std{}).Dial(context.Background(), "tcp", "not an address", "127.0.0.1:1"); err == nil {
		t.Fatal("no error")
	}
}
