package auth_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/auth"
)

// bound is a plugin that tells where the endpoint listens.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

func Example() {
	checker := auth.CheckToken(func(sess auth.Session, token string) *drpc.Status {
		if !auth.Equal(token, "open sesame") {
			return drpc.NewStatus(drpc.CodeUnauthorized, "wrong token")
		}
		sess.Swap().Set("user", "ali")
		return nil
	})
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, auth.NewCheckerPlugin(checker), listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/who", func(c drpc.CallCtx, _ *string) (any, *drpc.Status) { return c.Swap().Get("user"), nil })
	go srv.ListenAndServe()
	addr := (<-listening).String()

	for _, token := range []string{"open barley", "open sesame"} {
		cli := drpc.NewEndpoint(drpc.EndpointConfig{}, auth.NewBearerPlugin(auth.Token(token)))
		defer cli.Close()
		sess, stat := cli.Dial(addr)
		if stat != nil {
			fmt.Println(stat)
			continue
		}
		var user string
		fmt.Println(sess.Call("/who", "", &user).Status(), user)
	}
	// Output:
	// {"code":105,"msg":"Dial Failed","cause":"wrong token"}
	// <nil> ali
}
