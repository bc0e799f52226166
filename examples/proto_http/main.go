// Command proto_http serves drpc handlers over HTTP/1.1.
package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/math/add", func(ctx drpc.CallCtx, numbers *[]int) (int, *drpc.Status) {
		if len(*numbers) == 0 {
			return 0, drpc.NewStatus(1001, "nothing to add")
		}
		sum := 0
		for _, n := range *numbers {
			sum += n
		}
		return sum, nil
	})
	addr := demo.Serve(server, httpproto.NewHTTProtoFunc())

	// A client of this framework.
	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr, httpproto.NewHTTProtoFunc())
	demo.OK(stat)
	var sum int
	demo.OK(sess.Call("/math/add", []int{1, 2, 3}, &sum).Status())
	fmt.Println("drpc:", sum)

	// Any other client. A status of the application is HTTP status 299 with a JSON body.
	for _, body := range []string{"[4,5,6]", "[]"} {
		resp, err := http.Post("http://"+addr+"/math/add", "application/json", strings.NewReader(body))
		demo.Check(err)
		text, err := io.ReadAll(resp.Body)
		demo.Check(err)
		demo.Check(resp.Body.Close())
		fmt.Println("http:", resp.StatusCode, string(text))
	}
}

// Output:
// drpc: 6
// http: 200 15
// http: 299 {"code":1001,"msg":"nothing to add","cause":""}
