// Command rpcserver registers itself, is found by its name, and leaves without losing the call that it is working on.
package main

import (
	"fmt"
	"time"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/server"
)

// Math answers calls: (*Math).Add is /math/add.
type Math struct{ drpc.CallCtx }

// Add adds up.
func (m *Math) Add(arg *[]int) (int, *drpc.Status) {
	sum := 0
	for _, n := range *arg {
		sum += n
	}
	return sum, nil
}

func main() {
	nodes := memory.NewRegistry() // within one process; registry/etcd is for clusters

	srv, err := server.New("calculator",
		server.OptServiceVersion("1.0.0"), server.OptListenAddress("127.0.0.1:0"), server.OptRegistry(nodes))
	demo.Check(err)
	srv.RouteCall(new(Math))
	begun := make(chan struct{})
	drpc.HandleCall(srv, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(begun)
		time.Sleep(200 * time.Millisecond) // work
		return "finished", nil
	})
	ended := make(chan error, 1)
	go func() { ended <- srv.ListenAndServe() }()

	watch, err := nodes.Watch(registry.OptWatchService("calculator"))
	demo.Check(err)
	change, err := watch.Next() // waits until there is something to tell
	demo.Check(err)
	watch.Stop()
	fmt.Println("registered:", change.Service.Name, change.Service.Version, change.Service.Nodes[0].Paths)

	cli, err := client.New("calculator", client.OptRegistry(nodes))
	demo.Check(err)
	defer cli.Close()
	var sum int
	demo.OK(cli.Call("/math/add", []int{1, 2, 3, 4, 5}, &sum).Status())
	fmt.Println("sum:", sum)

	var reply string
	slow := cli.AsyncCall("/slow", "", &reply, nil)
	<-begun
	srv.Close()
	<-slow.Done()
	fmt.Println("while the server left:", reply)
	fmt.Println("ListenAndServe:", <-ended)
	fmt.Println(cli.Call("/math/add", []int{1}, &sum).Status().Msg())
}

// Output:
// registered: calculator 1.0.0 [/heartbeat /math/add /slow]
// sum: 15
// while the server left: finished
// ListenAndServe: listener is closed
// dmicro.client service calculator: not found
