// Command graceful serves HTTP and a line protocol over TCP, and lets a new version of itself take over on SIGHUP or
// SIGUSR2 without losing a request.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/osgochina/dmicro/graceful"
)

// drainLimit is how long requests under way may take when the process leaves.
const drainLimit = 15 * time.Second

func main() {
	web := flag.String("http", "127.0.0.1:8080", "address of the HTTP server")
	lines := flag.String("tcp", "127.0.0.1:8081", "address of the line server")
	flag.Parse()
	if err := run(*web, *lines); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(webAddr, lineAddr string) error {
	process, err := graceful.Default()
	if err != nil {
		return err
	}
	webListener, err := graceful.Listen("tcp", webAddr)
	if err != nil {
		return err
	}
	lineListener, err := graceful.Listen("tcp", lineAddr)
	if err != nil {
		return err
	}
	who := fmt.Sprintf("generation %d, process %d", process.Generation(), os.Getpid())
	var drain graceful.HTTPDrain
	web := &http.Server{Handler: drain.Handler(greeter(who)), ReadHeaderTimeout: drainLimit}
	talk := &lineServer{greeting: who}
	served := make(chan error, 2)
	go func() { served <- web.Serve(drain.Listener(webListener)) }()
	go func() { served <- talk.serve(lineListener) }()
	go func() {
		<-process.Serving()
		fmt.Printf("%s: http %s, tcp %s\n", who, webListener.Addr(), lineListener.Addr())
	}()

	// From here on the process serves; this returns when a new one does, or when it is told to stop.
	if err := graceful.Run(context.Background(), report); err != nil {
		return err
	}
	// The listeners are closed. Only when both loops have ended is every accepted connection known to its server.
	for range cap(served) {
		if err := <-served; !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err = errors.Join(drain.Wait(ctx), web.Shutdown(ctx), talk.wait(ctx))
	fmt.Printf("%s: left\n", who)
	return err
}

// report is told how each reload went.
func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "reload failed, serving on:", err)
	}
}

// greeter answers every request with who it is. Requests that ask for it take their time.
func greeter(who string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.FormValue("wait")); err == nil {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush() // the client learns that it was heard
			select {
			case <-time.After(min(d, drainLimit)):
			case <-r.Context().Done():
			}
		}
		fmt.Fprintln(w, who)
	})
}

// answer is what the line server says to a line.
func answer(who, line string) string { return who + ": " + strings.ToUpper(line) + "\n" }
