// Command custom_filter changes what travels with a filter of the program's own, after gzip has compressed it.
package main

import (
	"fmt"
	"strings"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

// mirror turns every byte around. It shows where a filter stands; it protects nothing.
type mirror struct{}

func (mirror) ID() byte     { return 'm' }
func (mirror) Name() string { return "mirror" }

func (mirror) OnPack(src []byte) ([]byte, error) {
	fmt.Println("packing less than 200 bytes:", len(src) < 200)
	return flip(src), nil
}

func (mirror) OnUnpack(src []byte) ([]byte, error) { return flip(src), nil }

func flip(src []byte) []byte {
	dst := make([]byte, len(src))
	for i, b := range src {
		dst[i] = ^b
	}
	return dst
}

func init() { // both sides, before they use the network
	tfilter.Reg(mirror{})
	tfilter.RegGzip(9)
}

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/len", func(_ drpc.CallCtx, text *string) (int, *drpc.Status) { return len(*text), nil })
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var n int
	// Sending applies the last filter first. The reply passes the same ones.
	demo.OK(sess.Call("/len", strings.Repeat("a", 10_000), &n, drpc.WithTFilterPipe('m', tfilter.GzipId)).Status())
	fmt.Println(n)
}

// Output:
// packing less than 200 bytes: true
// packing less than 200 bytes: true
// 10000
