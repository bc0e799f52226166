// Package jsonrpcproto is a protocol whose frames are lines of JSON-RPC 2.0, for peers of this framework and for any
// other JSON-RPC peer over a stream.
//
// A CALL is a request, a REPLY a response, a PUSH a notification. The body is params or result and is always JSON,
// whatever codec the message names; the member context, an addition to the standard, has the meta. Transfer filters
// have no place in a line of text and are refused with [ErrUnsupported]. docs/wire/jsonrpc.md has every detail.
//
// The id of a request comes back in the reply in the form it came, a number or a string. A batch is answered with one
// array when its last call is done. Peers of this framework send a context with each request; others get the error
// codes of the standard where there is one for the status.
//
// A line that is no JSON is answered with a parse error, and the session goes on with the next one. A side that has
// made calls itself ends the session instead, because the line may have been the reply to one of them.
//
// The functions may be used concurrently.
package jsonrpcproto
