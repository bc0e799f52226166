package graceful

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// A server that leaves answers what is on its way: requests on new connections and on kept ones.
func TestDrainAnswersRequestsOnTheirWay(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var drain HTTPDrain
	srv := &http.Server{Handler: drain.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))}
	watched := drain.Listener(ln)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(watched) }()
	dial := func() (net.Conn, *bufio.Reader) {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		return c, bufio.NewReader(c)
	}
	request := func(c net.Conn, in *bufio.Reader) *http.Response {
		t.Helper()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp
	}
	kept, keptIn := dial()
	defer kept.Close()
	if resp := request(kept, keptIn); resp.Close {
		t.Error("a server that stays closes its connections")
	}
	fresh, freshIn := dial()
	defer fresh.Close()
	silent, _ := dial()
	defer silent.Close()
	drainKnows := func() bool {
		drain.mu.Lock()
		defer drain.mu.Unlock()
		return len(drain.conns) == 3
	}
	polltest.Until(t, "the connections to be accepted", drainKnows)
	_ = ln.Close()
	<-served
	waited := make(chan error, 1)
	go func() { waited <- drain.Wait(context.Background()) }()
	polltest.Until(t, "the drain", drain.Leaving)
	for name, resp := range map[string]*http.Response{"kept": request(kept, keptIn), "fresh": request(fresh, freshIn)} {
		if resp.StatusCode != http.StatusOK || !resp.Close {
			t.Errorf("%s connection: %s, close %v", name, resp.Status, resp.Close)
		}
	}
	if err := errors.Join(<-waited, srv.Shutdown(context.Background())); err != nil {
		t.Error(err)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	var drain HTTPDrain
	if err := drain.Wait(context.Background()); err != nil {
		t.Errorf("without connections: %v", err)
	}
	ours, peer := net.Pipe()
	defer ours.Close()
	defer peer.Close()
	conn, err := drain.Listener(oneConn{ours}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := drain.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// oneConn is a listener that has one connection.
type oneConn struct{ conn net.Conn }

func (l oneConn) Accept() (net.Conn, error) { return l.conn, nil }
func (l oneConn) Close() error              { return nil }
func (l oneConn) Addr() net.Addr            { return l.conn.LocalAddr() }

// lateConn is a listener whose Accept has a connection in its hands when the drain begins.
type lateConn struct {
	net.Listener
	conn   net.Conn
	accept chan struct{}
}

func (l *lateConn) Accept() (net.Conn, error) {
	<-l.accept
	return l.conn, nil
}

func (l *lateConn) Close() error { return nil }

func TestDrainWaitsForTheConnectionOfTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, peer := net.Pipe()
		defer peer.Close()
		ln := &lateConn{conn: ours, accept: make(chan struct{})}
		var drain HTTPDrain
		watched := drain.Listener(ln)
		waited := make(chan error, 1)
		go func() { waited <- drain.Wait(context.Background()) }()
		time.Sleep(httpSettle / 2)
		close(ln.accept)
		conn, err := watched.Accept()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * httpSettle)
		select {
		case <-waited:
			t.Fatal("the drain did not wait for a connection that nobody has answered")
		default:
		}
		_ = conn.Close()
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
}

// A server that is told to leave accepts nothing any more, and its Accept waits for the Shutdown to come.
func TestDrainStopsAccepting(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var drain HTTPDrain
	watched := drain.Listener(ln)
	accepted := make(chan error, 1)
	go func() {
		_, err := watched.Accept()
		accepted <- err
	}()
	if err := drain.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Wait the socket says: %v", err)
	}
	select {
	case err := <-accepted:
		t.Errorf("Accept ended before Close: %v", err)
	default:
	}
	for range 2 {
		if err := watched.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

// Clients that never pause, with a new connection for each request, neither keep a server from leaving nor lose an answer.
func TestDrainEndsUnderLoadAndAnswersWhatWasExecuted(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	executed, answered := map[string]bool{}, map[string]bool{}
	note := func(m map[string]bool, id string) {
		mu.Lock()
		defer mu.Unlock()
		m[id] = true
	}
	var drain HTTPDrain
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: drain.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(executed, r.URL.Path)
		_, _ = io.WriteString(w, "done "+r.URL.Path)
	}))}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(drain.Listener(ln)) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("/%d/%d", caller, n)
				resp, err := client.Get("http://" + ln.Addr().String() + id)
				if err != nil {
					time.Sleep(time.Millisecond) // refused, as it should be by then
					continue
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err == nil && string(text) == "done "+id {
					note(answered, id)
				}
			}
		})
	}
	polltest.Until(t, "requests", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(answered) >= 20
	})
	limit, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if err := errors.Join(drain.Wait(limit), srv.Shutdown(limit)); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	cancel()
	wg.Wait()
	for id := range executed {
		if !answered[id] {
			t.Errorf("%s was executed, and not answered", id)
		}
	}
}
