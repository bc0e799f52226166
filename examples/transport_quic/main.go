// Command transport_quic serves over QUIC.
package main

import (
	"crypto/tls"
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	// For development: the server makes a certificate, and the client does not look at it. See the package
	// documentation for real ones.
	insecure := &tls.Config{InsecureSkipVerify: true}
	server := demo.Endpoint(drpc.EndpointConfig{Network: "quic"})
	server.SetTLSConfig(insecure)
	defer server.Close()
	drpc.HandleCall(server, "/echo", func(_ drpc.CallCtx, text *string) (string, *drpc.Status) { return *text, nil })
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{Network: "quic"})
	client.SetTLSConfig(insecure)
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var reply string
	demo.OK(sess.Call("/echo", "over quic", &reply).Status())
	fmt.Println(reply)
}

// Output:
// over quic
