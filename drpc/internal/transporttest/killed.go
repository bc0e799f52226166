package transporttest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The environment of a test program that is to be a server: the name of its transport, and its directory.
const (
	childTransport = "DMICRO_TEST_TRANSPORT"
	childDir       = "DMICRO_TEST_DIR"
)

// Main is for TestMain of a program that calls Run with these transports. It does not return in a process that a test has
// started to kill.
func Main(transports ...Transport) {
	name := os.Getenv(childTransport)
	if name == "" {
		return
	}
	for _, tr := range transports {
		if tr.Name == name {
			fmt.Fprintln(os.Stderr, tr.serveUntilKilled())
		}
	}
	os.Exit(1)
}

// serveUntilKilled echoes, and says where on the first line of the standard output.
func (tr Transport) serveUntilKilled() error {
	cfg, _ := tr.configs(os.Getenv(childDir))
	e, err := tr.newServer(cfg)
	if err != nil {
		return err
	}
	echo(e)
	go func() {
		for len(e.Addrs()) == 0 {
			runtime.Gosched()
		}
		fmt.Println(e.Addrs()[0])
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		os.Exit(0)
	}()
	return e.ListenAndServe()
}

// killedPeerIsNoticed kills a process that serves.
func killedPeerIsNoticed(t *testing.T, tr Transport) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childTransport+"="+tr.Name, childDir+"="+dir)
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	sess := dialTo(t, tr.pair(t).client, strings.TrimSpace(line))
	honest(t, sess)
	begin := time.Now()
	if err = child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // says that it was killed
	ended(t, sess)
	took := time.Since(begin)
	t.Logf("noticed after %v", took)
	if took > 2*tr.Idle+patience/3 { // the machine may be busy
		t.Errorf("noticed only after %v", took)
	}
}
