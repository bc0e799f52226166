package graceful_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/osgochina/dmicro/graceful"
)

// An HTTP server that a new version of the program can take over from, by kill -HUP, without losing a request.
func ExampleRun() {
	ln, err := graceful.Listen("tcp", "127.0.0.1:8080") // inherited if there was a predecessor
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute}
	go srv.Serve(ln)
	err = graceful.Run(context.Background(), func(err error) { fmt.Fprintln(os.Stderr, "reload:", err) })
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	fmt.Println(errors.Join(err, srv.Shutdown(ctx)))
}

// A server that leaves lets clients finish what they have sent, on connections that are kept alive, too.
func ExampleHTTPDrain() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	var drain graceful.HTTPDrain
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	srv := &http.Server{Handler: drain.Handler(hello), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(drain.Listener(ln)) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Println(string(text), err)

	ln.Close() // a new process accepts from now on
	<-served
	ctx := context.Background()
	fmt.Println(drain.Wait(ctx), srv.Shutdown(ctx))
	// Output:
	// hello <nil>
	// <nil> <nil>
}

// The sockets of a process belong to its Upgrader: a successor gets those that are open, by their network and address.
func ExampleUpgrader() {
	up, err := graceful.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := up.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ln.Close()
	fmt.Println("generation", up.Generation(), "listens on", ln.Addr().Network())
	// Output: generation 1 listens on tcp
}
