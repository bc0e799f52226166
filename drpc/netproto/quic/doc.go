// Package quic is the transport of network "quic": a stream over UDP that repairs losses, always encrypted by TLS 1.3.
//
// The TLS configuration is that of the endpoint. A server needs a certificate in it; one that says InsecureSkipVerify and
// has none gets a certificate for development when it begins to listen, which no client accepts that verifies. A
// client verifies, with the roots of the system unless its configuration has others. Nobody need set application
// protocols.
//
// # Wire
//
// The client opens one stream in both directions, and all calls of the session go over it. With application protocol
// "dmicro/1", which this package prefers, the first byte of the client is 1, so that the server knows of the stream
// before the client has anything to say. With "http/1.1" and "h2", which peers of DMicro 1.x have, there is no such byte,
// and a server sees a session when the client first writes. Close ends the stream, waits a moment for the peer to read to
// its end, and then closes the connection with code 0. Code 1 is for a client that never opened its stream.
//
// # Concurrency
//
// All functions and methods may be used concurrently.
package quic
