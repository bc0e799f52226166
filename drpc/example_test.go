package drpc_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

// bound is a plugin that tells when the endpoint listens, and where.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

// A server with a typed handler and a client that calls it.
func Example() {
	listening := make(bound, 1)
	srv, err := drpc.New(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	drpc.HandleCall(srv, "/math/add", func(ctx drpc.CallCtx, arg *[]int) (int, *drpc.Status) {
		fmt.Println("author:", ctx.PeekMeta("author"))
		sum := 0
		for _, n := range *arg {
			sum += n
		}
		return sum, nil
	})
	go srv.ListenAndServe()

	cli, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var sum int
	stat = sess.Call("/math/add", []int{1, 2, 3, 4, 5}, &sum,
		drpc.WithSetMeta("author", "someone"), drpc.WithContext(ctx)).Status()
	if stat != nil {
		fmt.Println(stat)
		return
	}
	fmt.Println("result:", sum)
	// Output:
	// author: someone
	// result: 15
}

// Greeter is a controller: its methods are the handlers. Each call gets a copy of what was registered.
type Greeter struct {
	drpc.CallCtx
	Greeting string
}

// Hello answers calls of /greeter/hello.
func (g *Greeter) Hello(name *string) (string, *drpc.Status) {
	if *name == "" {
		return "", drpc.NewStatus(1001, "whom?")
	}
	return g.Greeting + ", " + *name, nil
}

// A controller, registered as programs for DMicro 1.x do. Mistakes end the process with a message.
func ExampleNewEndpoint() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	fmt.Println(srv.RouteCall(&Greeter{Greeting: "hello"}))
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	var reply string
	fmt.Println(sess.Call("/greeter/hello", "world", &reply).Status(), reply)
	fmt.Println(sess.Call("/greeter/hello", "", &reply).Status())
	fmt.Println(sess.Call("/greeter/bye", "world", &reply).Status())
	// Output:
	// [/greeter/hello]
	// <nil> hello, world
	// {"code":1001,"msg":"whom?","cause":""}
	// {"code":404,"msg":"Not Found","cause":""}
}

// Both ends may push: the server answers one push by another over the same session.
func ExampleHandlePush() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	drpc.HandlePush(srv, "/ping", func(ctx drpc.PushCtx, text *string) *drpc.Status {
		fmt.Println("server:", *text)
		return ctx.Session().Push("/pong", "and hello to you")
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	ponged := make(chan struct{})
	drpc.HandlePush(cli, "/pong", func(_ drpc.PushCtx, text *string) *drpc.Status {
		fmt.Println("client:", *text)
		close(ponged)
		return nil
	})
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	if stat = sess.Push("/ping", "hello"); stat != nil {
		fmt.Println(stat)
		return
	}
	<-ponged
	// Output:
	// server: hello
	// client: and hello to you
}

// tokenCheck refuses calls without the right token.
type tokenCheck string

func (tokenCheck) Name() string { return "token check" }

func (c tokenCheck) AfterReadCallBody(ctx drpc.ReadCtx) *drpc.Status {
	if ctx.PeekMeta("token") != string(c) {
		return drpc.NewStatus(drpc.CodeUnauthorized, "no token, no answer")
	}
	return nil
}

// The plugins of a group run for the routes of the group only.
func ExampleRouter_SubRoute() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	echo := func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil }
	drpc.HandleCall(srv, "/echo", echo)
	drpc.HandleCall(srv.SubRoute("/secret", tokenCheck("sesame")), "/echo", echo)
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	var reply string
	fmt.Println(sess.Call("/echo", "a", &reply).Status(), reply)
	fmt.Println(sess.Call("/secret/echo", "b", &reply).Status())
	fmt.Println(sess.Call("/secret/echo", "c", &reply, drpc.WithSetMeta("token", "sesame")).Status(), reply)
	// Output:
	// <nil> a
	// {"code":401,"msg":"no token, no answer","cause":""}
	// <nil> c
}

// Many calls under way over one session, collected as they are answered.
func ExampleCtxSession_asyncCall() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/square", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) { return *n * *n, nil })
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	const calls = 10
	done := make(chan drpc.CallCmd, calls) // room for all, so that nothing waits for us
	for n := range calls {
		sess.AsyncCall("/square", n, new(int), done)
	}
	sum := 0
	for range calls {
		result, stat := (<-done).Reply()
		if stat != nil {
			fmt.Println(stat)
			return
		}
		sum += *result.(*int)
	}
	fmt.Println("sum of the squares:", sum)
	// Output:
	// sum of the squares: 285
}

// callCounter is a plugin: a name, and any of the hooks.
type callCounter struct{ calls atomic.Int64 }

func (*callCounter) Name() string { return "call counter" }

func (c *callCounter) AfterReadCallHeader(drpc.ReadCtx) *drpc.Status {
	c.calls.Add(1)
	return nil
}

// A hook that is not quite right is a method that nobody calls: let the compiler say so.
var _ drpc.AfterReadCallHeaderPlugin = (*callCounter)(nil)

// A plugin sees every call, also those that no handler has.
func ExamplePlugin() {
	listening, counter := make(bound, 1), new(callCounter)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening, counter)
	defer srv.Close()
	drpc.HandleCall(srv, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	fmt.Println(sess.Call("/echo", "a", new(string)).Status())
	fmt.Println(sess.Call("/nobody", "b", new(string)).Status().Code())
	fmt.Println(counter.calls.Load(), "calls")
	// Output:
	// <nil>
	// 404
	// 2 calls
}

// Plugins may be added and removed while an endpoint is at work; their order is that in which their hooks run.
func ExamplePluginContainer() {
	ep := drpc.NewEndpoint(drpc.EndpointConfig{}, new(callCounter))
	defer ep.Close()
	plugins := ep.PluginContainer()
	plugins.AppendLeft(make(bound, 1))
	for _, p := range plugins.GetAll() {
		fmt.Println(p.Name())
	}
	fmt.Println(plugins.Remove("call counter"), plugins.GetByName("call counter"))
	// Output:
	// bound
	// call counter
	// <nil> <nil>
}

// A broadcast reaches those who have subscribed, and waits for none of them.
func ExampleBroadcaster() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/subscribe", func(ctx drpc.CallCtx, yes *bool) (string, *drpc.Status) {
		ctx.Session().Swap().Set("subscribed", *yes)
		return "noted", nil
	})
	go srv.ListenAndServe()
	addr := (<-listening).String()

	received := make(chan string)
	for _, subscribed := range []bool{true, false} {
		cli := drpc.NewEndpoint(drpc.EndpointConfig{})
		defer cli.Close()
		drpc.HandlePush(cli, "/news", func(_ drpc.PushCtx, text *string) *drpc.Status {
			received <- *text
			return nil
		})
		sess, stat := cli.Dial(addr)
		if stat == nil {
			stat = sess.Call("/subscribe", subscribed, nil).Status()
		}
		if stat != nil {
			fmt.Println(stat)
			return
		}
	}

	news := drpc.NewBroadcaster(srv, drpc.BroadcastConfig{
		Policy: drpc.StallClose,
		Filter: func(sess drpc.Session) bool {
			subscribed, _ := sess.Swap().Get("subscribed").(bool)
			return subscribed
		},
	})
	result, stat := news.Push(context.Background(), "/news", "it works")
	fmt.Println(result.Queued, stat, <-received)
	// Output: 1 <nil> it works
}

// A call that was refused because there was too much to do may be sent again: nobody has executed it.
func ExampleNotExecuted() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1", MaxRequests: 1}, listening)
	defer srv.Close()
	begun, end := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(srv, "/report", func(_ drpc.CallCtx, _ *string) (string, *drpc.Status) {
		begun <- struct{}{}
		<-end
		return "done", nil
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	first := sess.AsyncCall("/report", "a", new(string), make(chan drpc.CallCmd, 1))
	<-begun
	stat = sess.Call("/report", "b", new(string)).Status()
	fmt.Println(stat.Code() == drpc.CodeBusy, drpc.NotExecuted(stat))
	close(end)
	<-first.Done()
	fmt.Println(first.Status())
	// Output:
	// true true
	// <nil>
}
