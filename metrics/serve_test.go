package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// textPage is a page that always says the same.
func textPage(address, path, text string) Page {
	return Page{
		Format: "text", ContentType: "text/plain", Address: address, Path: path,
		Snapshot: func(context.Context) ([]byte, error) { return []byte(text), nil },
	}
}

// show serves a page until the test ends.
func show(t *testing.T, p Page) Published {
	t.Helper()
	shown, err := Serve(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shown.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return shown
}

// ask makes one request over a connection of its own.
func ask(method, url string) (code int, header http.Header, body string, err error) {
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, nil, "", err
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(text), err
}

func expect(t *testing.T, method, url string, wantCode int, wantBody string) {
	t.Helper()
	code, _, body, err := ask(method, url)
	if err != nil {
		t.Error(err)
		return
	}
	if code != wantCode || !strings.Contains(body, wantBody) {
		t.Errorf("%s %s: %d %q, want %d %q", method, url, code, body, wantCode, wantBody)
	}
}

func TestPageAnswersNothingButItself(t *testing.T) {
	t.Parallel()
	shown := show(t, textPage("127.0.0.1:0", "/figures", "42"))
	base := "http://" + shown.Addr().String()
	expect(t, http.MethodGet, base+"/figures", http.StatusOK, "42")
	expect(t, http.MethodHead, base+"/figures", http.StatusOK, "")
	expect(t, http.MethodPost, base+"/figures", http.StatusMethodNotAllowed, "")
	expect(t, http.MethodGet, base+"/", http.StatusNotFound, "")
	expect(t, http.MethodGet, base+"/debug/pprof/", http.StatusNotFound, "")
	_, header, _, err := ask(http.MethodGet, base+"/figures")
	if err != nil {
		t.Fatal(err)
	}
	if got := header.Get("Content-Type"); got != "text/plain" {
		t.Errorf("content type %q", got)
	}
}

func TestFailedSnapshotTellsNoDetails(t *testing.T) {
	t.Parallel()
	p := textPage("127.0.0.1:0", "/figures", "")
	p.Snapshot = func(context.Context) ([]byte, error) { return nil, errors.New("the secret") }
	url := "http://" + show(t, p).Addr().String() + "/figures"
	code, _, body, err := ask(http.MethodGet, url)
	if err != nil {
		t.Fatal(err)
	}
	if code != http.StatusInternalServerError || strings.Contains(body, "secret") {
		t.Errorf("%d %q", code, body)
	}
}

func TestPagesShareAnAddressByPath(t *testing.T) {
	t.Parallel()
	first := show(t, textPage("127.0.0.1:0", "/a", "one"))
	address := first.Addr().String()
	show(t, textPage(address, "/b", "two"))
	expect(t, http.MethodGet, "http://"+address+"/a", http.StatusOK, "one")
	expect(t, http.MethodGet, "http://"+address+"/b", http.StatusOK, "two")
	if _, err := Serve(textPage(address, "/a", "three")); !errors.Is(err, ErrPathTaken) {
		t.Errorf("a second page at a path: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	expect(t, http.MethodGet, "http://"+address+"/a", http.StatusNotFound, "")
	expect(t, http.MethodGet, "http://"+address+"/b", http.StatusOK, "two")
	show(t, textPage(address, "/a", "four"))
	expect(t, http.MethodGet, "http://"+address+"/a", http.StatusOK, "four")
}

func TestErrorNamesTheAddress(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, err = Serve(textPage(ln.Addr().String(), "/", ""))
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("taken address: %v", err)
	}
	for _, bad := range []string{"", "nonsense", "127.0.0.1", "127.0.0.1:-1", "127.0.0.1:http2"} {
		if _, err := Serve(textPage(bad, "/", "")); err == nil {
			t.Errorf("a page is shown at %q", bad)
		}
	}
}

func TestCloseWaitsForWhoIsAsking(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	p := textPage("127.0.0.1:0", "/figures", "")
	p.Snapshot = func(context.Context) ([]byte, error) {
		close(asked)
		<-answer
		return []byte("late"), nil
	}
	shown := show(t, p)
	url := "http://" + shown.Addr().String() + "/figures"
	var wg sync.WaitGroup
	wg.Go(func() { expect(t, http.MethodGet, url, http.StatusOK, "late") })
	<-asked
	closed := make(chan error, 1)
	go func() { closed <- shown.Close() }()
	polltest.Until(t, "nobody is let in any more", func() bool {
		conn, err := net.Dial("tcp", shown.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(answer)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestSnapshotsUnderWayAreLimited(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}, maxSnapshots), make(chan struct{})
	p := textPage("127.0.0.1:0", "/figures", "")
	p.Snapshot = func(context.Context) ([]byte, error) {
		asked <- struct{}{}
		<-answer
		return nil, nil
	}
	url := "http://" + show(t, p).Addr().String() + "/figures"
	var wg sync.WaitGroup
	for range maxSnapshots {
		wg.Go(func() { expect(t, http.MethodGet, url, http.StatusOK, "") })
	}
	for range maxSnapshots {
		<-asked
	}
	expect(t, http.MethodGet, url, http.StatusServiceUnavailable, "too many")
	close(answer)
	wg.Wait()
}

func TestPublisherTakesThePagesOfTheProcess(t *testing.T) {
	// Not parallel, and put back: it is a setting of the process.
	t.Cleanup(func() { publisher.Store(nil) })
	var taken []Page
	SetPublisher(func(p Page) (Published, error) {
		taken = append(taken, p)
		return nil, fmt.Errorf("no")
	})
	if _, err := Publish(textPage("127.0.0.1:9", "/x", "")); err == nil || len(taken) != 1 || taken[0].Path != "/x" {
		t.Errorf("publish: %v, taken %v", err, taken)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second publisher was taken")
		}
	}()
	SetPublisher(Serve)
}

func TestWithoutPublisherPagesAreServed(t *testing.T) {
	shown, err := Publish(textPage("127.0.0.1:0", "/x", "here"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shown.Close() }()
	expect(t, http.MethodGet, "http://"+shown.Addr().String()+"/x", http.StatusOK, "here")
}
