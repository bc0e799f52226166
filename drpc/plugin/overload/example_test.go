package overload_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/overload"
)

// bound is a plugin that tells where the endpoint listens.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

// Two reports may be made at once, then one in ten seconds.
func Example() {
	limits, err := overload.New(overload.Config{
		Methods: map[string]overload.Limit{"/report": {Rate: 0.1, Burst: 2, Concurrency: 2}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, limits, listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/report", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "report on " + *name, nil
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	for _, name := range []string{"a", "b", "c"} {
		var text string
		stat := sess.Call("/report", name, &text).Status()
		fmt.Println(text, stat.Code(), drpc.NotExecuted(stat))
	}
	for _, m := range limits.Methods() {
		if m.Name == "/report" {
			fmt.Println(m.Admitted, "admitted,", m.Refused, "refused")
		}
	}
	// Output:
	// report on a 0 false
	// report on b 0 false
	//  503 true
	// 2 admitted, 1 refused
}
