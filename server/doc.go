// Package server is an endpoint that clients find: it registers what it serves, answers heartbeats, is recorded by
// metrics, and leaves in the order that loses no call.
//
//	srv := server.NewRpcServer("calculator",
//		server.OptServiceVersion("1.0.0"), server.OptListenAddress("0.0.0.0:9091"))
//	srv.RouteCall(new(Math))
//	err := srv.ListenAndServe()
//
// A server registers once it listens. [RpcServer.Shutdown] takes it out of the registry first, then asks its peers to
// move, goes on answering until they have, and cuts what is left at the end of its limit. A registry that is down delays
// neither by more than a few seconds.
//
// All methods may be called concurrently.
package server
