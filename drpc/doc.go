// Package drpc is the RPC core: peers that call and push both ways over one connection.
//
// An [Endpoint] is client and server at once: it dials and listens, and both ends of every connection are a [Session]
// through which either side may Call (and get a reply) or Push (and get none). Requests are routed by service method
// to controllers, functions, or typed handlers registered with [HandleCall] and [HandlePush]. Plugins take part in
// what happens through 27 hooks.
//
//	srv, err := drpc.New(drpc.EndpointConfig{ListenIP: "127.0.0.1", ListenPort: 9091})
//	drpc.HandleCall(srv, "/math/add", func(ctx drpc.CallCtx, arg *[]int) (int, *drpc.Status) { ... })
//	go srv.ListenAndServe()
//
//	cli, err := drpc.New(drpc.EndpointConfig{})
//	sess, stat := cli.Dial("127.0.0.1:9091")
//	stat = sess.Call("/math/add", []int{1, 2}, &sum).Status()
//
// A nil *Status is success everywhere. Endpoints, sessions, routers and plugin containers are safe for concurrent use.
// The contexts that handlers and hooks receive are lent to them for the time of the call and must not be kept.
//
// # The path of a message
//
// A sender encodes its frame outside all locks and appends it to the outbox of the connection; whoever finds nobody
// writing writes for all. One goroutine reads each connection. It hands a reply, still encoded, to the goroutine that
// waits for it, and a request to a pooled worker. A handler may therefore block, or call back over its own session.
package drpc
