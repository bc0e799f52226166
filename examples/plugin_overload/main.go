// Command plugin_overload limits how many calls of a method are at work at the same time.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/overload"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	limits, err := overload.New(overload.Config{
		Methods: map[string]overload.Limit{"/report": {Concurrency: 1}},
	})
	demo.Check(err)
	server := demo.Endpoint(drpc.EndpointConfig{}, limits)
	defer server.Close()
	begun, finish := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(server, "/report", func(drpc.CallCtx, *struct{}) (string, *drpc.Status) {
		begun <- struct{}{}
		<-finish
		return "the report", nil
	})
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var report string
	first := make(chan drpc.CallCmd, 1)
	sess.AsyncCall("/report", nil, &report, first)
	<-begun
	stat = sess.Call("/report", nil, nil).Status()
	fmt.Println("the second:", stat.Code(), "- may be repeated:", drpc.NotExecuted(stat))
	close(finish)
	demo.OK((<-first).Status())
	fmt.Println("the first:", report)
}

// Output:
// the second: 503 - may be repeated: true
// the first: the report
