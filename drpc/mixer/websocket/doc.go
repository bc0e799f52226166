// Package websocket carries sessions over WebSocket (RFC 6455), so that browsers are peers, too.
//
// A [Server] has a listener of its own; [NewHandler] is an http.Handler beside other routes. A [Client] dials, or an
// endpoint with the plugin of [NewDialPlugin]. Each message is one binary message of WebSocket, which holds one frame of
// the sub-protocol: json, unless the program names another one; any protocol can be one. With a TLS configuration it is
// wss.
//
// What holds for every session holds here: limits, hooks, redialling, graceful closing. What is added: requests of pages
// from other origins are refused, pings find peers that are gone, and closing says why with the codes of WebSocket.
//
// All types and functions may be used concurrently, unless their comment says otherwise.
package websocket
