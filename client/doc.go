// Package client calls a service, wherever its nodes are: it looks them up in a registry, chooses one for each call, keeps
// one session to each, and goes to another node where that cannot do anything twice.
//
//	cli := client.NewRpcClient("calculator")
//	defer cli.Close()
//	var sum int
//	stat := cli.Call("/math/add", []int{1, 2}, &sum).Status()
//
// # What is tried again
//
// A call that was not executed for certain (drpc.NotExecuted) is tried at another node, up to Options.RetryTimes attempts
// in all: no connection came up, the node was leaving, or it had too much to do. A call that was sent and whose
// connection was lost may have been executed; it is tried again only if it is marked as idempotent, with [WithIdempotent]
// or [OptIdempotent]. What makes servers work more is limited to a fifth of the calls, so that retries cannot bring down
// what is overloaded already.
//
// # Sessions
//
// A session to a node is dialled when the node is first chosen, by one caller for all. Heartbeats find peers that have
// stopped; what waits for them then fails. A node that was lost is asked for a sign of life over its new session before
// calls go there again. When a node leaves the registry its session is closed after the last reply.
//
// All functions may be called concurrently.
package client
