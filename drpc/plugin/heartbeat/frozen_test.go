//go:build unix

package heartbeat

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

// serverEnv makes the test binary a server that tells its address and serves until its input ends.
const serverEnv = "DMICRO_TEST_HEARTBEAT_SERVER"

func frozenServer() bool {
	if os.Getenv(serverEnv) == "" {
		return false
	}
	logger.SetLevel(logger.LevelCritical) // the log goes where the address goes
	srv := drpc.NewEndpoint(drpc.EndpointConfig{LocalIP: "127.0.0.1"}, NewPong())
	drpc.HandleCall(srv, "/hang", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		<-c.Context().Done()
		return "", nil
	})
	go func() { _ = srv.ListenAndServe() }()
	for len(srv.Addrs()) == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(srv.Addrs()[0])
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the test ends
	return true
}

// startServer starts the server as a process of its own.
func startServer(t *testing.T) (addr string, process *os.Process) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process
}

func TestFrozenServerIsFoundWithinTheBudget(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]time.Duration{"call": time.Second, "push": time.Second / 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, process := startServer(t)
			p := newTestPing(name == "call")
			p.setRate(rate)
			cli := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
			sess, stat := cli.Dial(addr)
			if stat != nil {
				t.Fatal(stat)
			}
			hanging := sess.AsyncCall("/hang", "", nil, nil) // without a deadline: only the end of the session ends it
			polltest.Until(t, "the first answer to a heartbeat", func() bool { return sess.Stats().BytesIn > 0 })
			if err := process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			frozen := time.Now()
			select {
			case <-hanging.Done():
			case <-time.After(3 * soon):
				t.Fatal("the frozen server was not found")
			}
			// The machine may be busy; but it must be the heartbeat that has found it.
			t.Logf("found after %v at a rate of %v", time.Since(frozen).Round(time.Millisecond), rate)
			if stat := hanging.Status(); stat.Code() != drpc.CodeConnClosed || stat.Cause().Error() != errSilent.Error() {
				t.Errorf("the call ended with %v", stat)
			}
			polltest.Until(t, "the end of the session", sess.(interface{ IsPassiveClosed() bool }).IsPassiveClosed)
		})
	}
}

func TestFrozenServerIsRedialledWhenItRunsAgain(t *testing.T) {
	t.Parallel()
	addr, process := startServer(t)
	p := newTestPing(true)
	p.setRate(time.Second)
	cli := peertest.Endpoint(t, drpc.EndpointConfig{RedialTimes: -1, RedialInterval: 10 * time.Millisecond}, p)
	sess, stat := cli.Dial(addr)
	if stat != nil {
		t.Fatal(stat)
	}
	sess.Swap().Set("kept", true)
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// The kernel of a frozen process accepts connections, so the redial succeeds and is found out in its turn.
	polltest.Until(t, "two redials", func() bool { return sess.Stats().Redials >= 2 })
	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "a call that is answered", func() bool { return sess.Call("/none", nil, nil).Status().Code() == drpc.CodeNotFound })
	if sess.Swap().Get("kept") != true || cli.CountSession() != 1 {
		t.Errorf("swap %v, %d sessions", sess.Swap(), cli.CountSession())
	}
}
