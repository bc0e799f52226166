// Command sessions_auth lets in those who know the secret, and keeps one session for each name.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/auth"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

// login is what clients send. Use TLS where it leaves the machine.
type login struct{ Name, Secret string }

func main() {
	checker := auth.NewCheckerPlugin(func(sess auth.Session, receive auth.ReCvOnce) (any, *drpc.Status) {
		var l login
		if stat := receive(&l); !stat.OK() {
			return nil, stat
		}
		if !auth.Equal(l.Secret, "open sesame") {
			return nil, drpc.NewStatus(drpc.CodeUnauthorized, "wrong secret")
		}
		sess.SetID(l.Name)
		return "welcome, " + l.Name, nil
	})
	server := demo.Endpoint(drpc.EndpointConfig{}, checker)
	defer server.Close()
	drpc.HandleCall(server, "/who", func(ctx drpc.CallCtx, _ *struct{}) (string, *drpc.Status) {
		return "you are " + ctx.Session().ID(), nil
	})
	addr := demo.Serve(server)

	for _, l := range []login{{"ali", "open sesame"}, {"kasim", "open barley"}} {
		bearer := auth.NewBearerPlugin(func(sess auth.Session, send auth.SendOnce) *drpc.Status {
			var greeting string
			stat := send(l, &greeting)
			fmt.Printf("%s hears %q\n", l.Name, greeting)
			return stat
		})
		client := demo.Endpoint(drpc.EndpointConfig{}, bearer)
		defer client.Close()
		sess, stat := client.Dial(addr)
		if !stat.OK() {
			fmt.Println(l.Name, "is refused:", stat.Cause())
			continue
		}
		var who string
		demo.OK(sess.Call("/who", nil, &who).Status())
		fmt.Println(who)
	}
	// The server finds sessions by their id, and may call them.
	_, there := server.GetSession("ali")
	fmt.Println("ali is there:", there)
}

// Output:
// ali hears "welcome, ali"
// you are ali
// kasim hears ""
// kasim is refused: wrong secret
// ali is there: true
