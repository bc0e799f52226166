// Package netproto holds the transports: how an endpoint listens and dials on a named network.
//
// A transport registers itself once, at init, under the networks that it serves. tcp and the unix sockets come from the
// standard library and are always there; kcp and quic are packages of their own, which package drpc links unless it is
// built with the tag drpc_slim.
//
// Sockets to listen on are bound by [Bind] and [BindPacket]. A program that inherits its sockets says so with
// [SetListen] and [SetListenPacket], and every transport takes them from there.
//
// All functions may be used concurrently, and so may transports.
package netproto
