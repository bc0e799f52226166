// Package socket turns a connection into a stream of messages.
//
// A [Conn] reads frames through one buffer and sends them through an outbox that combines the frames of concurrent
// senders into one system call. It knows one protocol (drpc/proto) and nothing of sessions, calls or hooks.
//
// Sending is safe for concurrent use; reading belongs to one goroutine.
package socket
