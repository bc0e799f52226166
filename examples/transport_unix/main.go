// Command transport_unix serves over a unix socket.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	dir, err := os.MkdirTemp("", "example")
	demo.Check(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "echo.sock")

	server := demo.Endpoint(drpc.EndpointConfig{Network: "unix", ListenIP: path})
	defer server.Close()
	drpc.HandleCall(server, "/echo", func(_ drpc.CallCtx, text *string) (string, *drpc.Status) { return *text, nil })
	demo.Serve(server)
	info, err := os.Stat(path)
	demo.Check(err)
	fmt.Println(info.Mode())

	client := demo.Endpoint(drpc.EndpointConfig{Network: "unix"})
	defer client.Close()
	sess, stat := client.Dial(path)
	demo.OK(stat)
	var reply string
	demo.OK(sess.Call("/echo", "over a unix socket", &reply).Status())
	fmt.Println(reply)
}

// Output:
// Srw-------
// over a unix socket
