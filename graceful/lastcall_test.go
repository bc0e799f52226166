//go:build !windows

package graceful

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// canRefuse skips the test where the system has no way to refuse connections to a socket that is open.
func canRefuse(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	withDescriptor(ln, refuseTCP)
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = c.Close()
		t.Skip("this system refuses connections to closed sockets only")
	}
}

// queue makes connections that wait for an Accept. What it returns fails the test unless each was answered so.
func queue(t *testing.T, network, address string, n int) (wantAnswers func(want string)) {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns[i] = c
	}
	return func(want string) {
		t.Helper()
		for i, c := range conns {
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			b := make([]byte, len(want))
			if got, err := c.Read(b); string(b[:got]) != want {
				t.Errorf("connection %d: %q, %v", i, b[:got], err)
			}
		}
	}
}

func wantRefused(t *testing.T, network, address string) {
	t.Helper()
	polltest.Until(t, "connections to be refused", func() bool {
		c, err := net.Dial(network, address)
		if err == nil {
			_ = c.Close()
			return false
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a new connection: %v", err)
		}
		return true
	})
}

// addresses are what the sockets of a test are bound to.
func addresses(t *testing.T) map[string]string {
	list := map[string]string{"tcp4": "127.0.0.1:0", "tcp": ":0", "unix": socketPath(t)}
	if ln, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = ln.Close()
		list["tcp6"] = "[::1]:0"
	}
	return list
}

// A socket that retires refuses who comes, and keeps whoever has come until somebody accepts.
func TestRetiringSocketRefusesNewConnectionsAndKeepsThoseThatWait(t *testing.T) {
	t.Parallel()
	canRefuse(t)
	for network, address := range addresses(t) {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			u, _ := ready(t, nil)
			ln := mustListen(t, u, network, address)
			addr := ln.Addr().String()
			wantAnswers := queue(t, network, addr, 10)
			var retiring sync.WaitGroup
			retiring.Go(func() { Patient(ln).(*patientListener).retire(context.Background()) })
			wantRefused(t, network, addr)
			go serve(ln, "yes")
			wantAnswers("yes")
			retiring.Wait()
			wantRefused(t, network, addr)
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopAcceptsWhatHasCome(t *testing.T) {
	t.Parallel()
	for network, address := range addresses(t) {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			u, _ := ready(t, nil)
			ln := mustListen(t, u, network, address)
			wantAnswers := queue(t, network, ln.Addr().String(), 10)
			go func() {
				<-u.quit // the stop goes on
				serve(ln, "yes")
			}()
			if err := u.Stop(); err != nil {
				t.Error(err)
			}
			wantAnswers("yes")
			wantRefused(t, network, ln.Addr().String())
		})
	}
}

func TestDrainOfHTTPAnswersConnectionsThatWait(t *testing.T) {
	t.Parallel()
	u, _ := ready(t, nil)
	ln := mustListen(t, u, "tcp", "127.0.0.1:0")
	var drain HTTPDrain
	watched := drain.Listener(Patient(ln))
	wantAnswers := queue(t, "tcp", ln.Addr().String(), 10)
	go func() {
		for !drain.Leaving() {
			time.Sleep(time.Millisecond)
		}
		serve(watched, "yes")
	}()
	if err := drain.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	wantAnswers("yes")
	wantRefused(t, "tcp", ln.Addr().String())
	if err := watched.Close(); err != nil {
		t.Error(err)
	}
}

// Nobody is refused where somebody else goes on with the socket.
func TestRetiringHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	t.Run("successor", func(t *testing.T) {
		t.Parallel()
		var ln net.Listener
		u, _ := ready(t, func(c *fakeChild) {
			ln.(retiring).retire(context.Background())
			next := mustListen(t, c.u, "tcp", "127.0.0.1:0")
			next.(retiring).retire(context.Background()) // it may give up yet
			if err := c.u.Ready(); err != nil {
				t.Error(err)
			}
			serve(next, "successor")
		})
		ln = mustListen(t, u, "tcp", "127.0.0.1:0")
		if err := u.Reload(context.Background(), quick); err != nil {
			t.Fatal(err)
		}
		ln.(retiring).retire(context.Background())
		if got := ask(t, "tcp", ln.Addr().String()); got != "successor" {
			t.Errorf("%q answers", got)
		}
	})
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		u, _ := ready(t, nil)
		ln := mustListen(t, u, "tcp", "127.0.0.1:0")
		addr := ln.Addr().String()
		if err := u.Hold(context.Background(), "tcp", addr); err != nil {
			t.Fatal(err)
		}
		ln.(retiring).retire(context.Background())
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		go serve(mustListen(t, u, "tcp", addr), "again")
		if got := ask(t, "tcp", addr); got != "again" {
			t.Errorf("%q answers", got)
		}
	})
}

// A master that ends has new connections refused at once, and its workers accept what is there.
func TestUnholdRefusesForTheWorkersToo(t *testing.T) {
	t.Parallel()
	canRefuse(t)
	master, f := ready(t, nil)
	f.born = func(*fakeChild) {}
	held := mustListen(t, master, "tcp", "127.0.0.1:0") // for a port that is free
	addr, path := held.Addr().String(), socketPath(t)
	for network, address := range map[string]string{"tcp": addr, "unix": path} {
		if err := master.Hold(context.Background(), network, address); err != nil {
			t.Fatal(err)
		}
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	start := func() *Upgrader {
		h, err := master.Handoff(nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		c, err := f.start(command{env: h.Env(), files: h.Files()})
		if err != nil {
			t.Fatal(err)
		}
		h.Started()
		if err := h.GoAhead(); err != nil {
			t.Fatal(err)
		}
		return c.(*fakeChild).u
	}
	tcp, unix := start(), start()
	lnTCP, lnUnix := mustListen(t, tcp, "tcp", addr), mustListen(t, unix, "unix", path)
	for _, u := range []*Upgrader{tcp, unix} {
		if err := u.Ready(); err != nil {
			t.Fatal(err)
		}
	}
	wantTCP, wantUnix := queue(t, "tcp", addr, 5), queue(t, "unix", path, 5)
	master.Unhold()
	wantRefused(t, "tcp", addr)
	wantRefused(t, "unix", path)
	var all sync.WaitGroup
	for u, ln := range map[*Upgrader]net.Listener{tcp: lnTCP, unix: lnUnix} {
		all.Go(func() { serve(ln, "worker") })
		all.Go(func() {
			u.Unhold()
			ln.(retiring).retire(context.Background())
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantTCP("worker")
	wantUnix("worker")
	for _, u := range []*Upgrader{master, tcp, unix} {
		if left := u.Unclaimed(); len(left) != 0 || len(u.sockets) != 0 {
			t.Errorf("%d sockets are left", len(u.sockets))
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the socket: %v", err)
	}
	if err := master.Hold(context.Background(), "tcp", addr); err != nil {
		t.Errorf("the address is not free: %v", err)
	}
}
