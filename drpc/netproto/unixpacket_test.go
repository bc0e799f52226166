package netproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// seqPair returns both ends of a connection over unixpacket.
func seqPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := std{}.Listen(context.Background(), "unixpacket", path)
	if err != nil {
		t.Skipf("this system has no unixpacket: %v", err)
	}
	defer func() { _ = ln.Close() }()
	if client, err = (std{}).Dial(context.Background(), "unixpacket", "", path); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

func TestUnixPacketsAreAStream(t *testing.T) {
	t.Parallel()
	client, server := seqPair(t)
	sent := make([]byte, 3*maxSeqPacket+17)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	want := bytes.Clone(sent)
	go func() {
		for _, n := range []int{1, 0, 1000, len(sent) - 1001} {
			part := sent[:n]
			sent = sent[n:]
			if m, err := client.Write(part); m != n || err != nil {
				t.Errorf("wrote %d of %d: %v", m, n, err)
			}
		}
		_ = client.Close()
	}()
	// A reader with a small buffer gets what one with a large buffer gets.
	var got []byte
	small := make([]byte, 7)
	for len(got) < 5000 {
		n, err := server.Read(small)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, small[:n]...)
	}
	if n, err := server.Read(nil); n != 0 || err != nil {
		t.Errorf("a read of nothing: %d, %v", n, err)
	}
	large := make([]byte, 2*maxSeqPacket)
	for {
		n, err := server.Read(large)
		got = append(got, large[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, not those %d", len(got), len(want))
	}
}

func TestUnixPacketAboveTheLimitEndsTheConnection(t *testing.T) {
	t.Parallel()
	for _, buffer := range []int{10, 2 * maxSeqPacket} {
		client, server := seqPair(t)
		if _, err := client.(*seqConn).NetConn().Write(make([]byte, maxSeqPacket+1)); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, buffer)); !errors.Is(err, ErrPacketTooLong) {
			t.Errorf("%v", err)
		}
		if _, err := server.Read(make([]byte, buffer)); err == nil {
			t.Error("it goes on")
		}
	}
}

func TestUnixPacketsFitASmallSendBuffer(t *testing.T) {
	t.Parallel()
	client, server := seqPair(t)
	if err := client.(*seqConn).NetConn().(*net.UnixConn).SetWriteBuffer(4096); err != nil {
		t.Fatal(err)
	}
	const size = 100_000
	go func() {
		if n, err := client.Write(make([]byte, size)); n != size || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
		_ = client.(*seqConn).CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, server); n != size || err != nil {
		t.Errorf("read %d: %v", n, err)
	}
	if _, err := server.Write([]byte("x")); err != nil {
		t.Errorf("the other direction: %v", err)
	}
}

func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a socket file that nobody serves cannot be told there")
	}
	for _, network := range []string{"unix", "unixpacket"} {
		path := filepath.Join(t.TempDir(), "s")
		dead, err := net.Listen(network, path)
		if err != nil {
			t.Skipf("this system has no %s: %v", network, err)
		}
		dead.(*net.UnixListener).SetUnlinkOnClose(false) // as a process that is killed leaves it
		_ = dead.Close()
		ln, err := Bind(context.Background(), network, path)
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		conn, err := net.Dial(network, path)
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		_ = errors.Join(conn.Close(), ln.Close())
	}
}

func TestSocketFilesAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes there")
	}
	for _, network := range []string{"unix", "unixpacket"} {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := Bind(context.Background(), network, path)
		if err != nil {
			t.Skipf("this system has no %s: %v", network, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", network, info.Mode(), err)
		}
		if _, err = Bind(context.Background(), network, path); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: bound twice: %v", network, err)
		}
		_ = ln.Close()
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file outlives its listener: %v", network, err)
		}
	}
	if runtime.GOOS == "linux" {
		ln, err := Bind(context.Background(), "unix", fmt.Sprint("@dmicro-netproto-test-", os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		_ = ln.Close()
	}
}
