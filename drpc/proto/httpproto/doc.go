// Package httpproto is a protocol whose frames are HTTP/1.1 requests and replies, for peers of this framework and for
// any HTTP client or server.
//
// A CALL is a POST to its service method, a path or a whole URL; a REPLY is a response. The body is the body, its codec
// the content type, meta are headers, and the sequence number is in X-Seq. docs/wire/http.md has every detail.
//
// A peer of this framework sends X-Seq with each request; its replies may overtake each other, and each failure is a
// 299 with the status as a JSON object. A client that sends no X-Seq is some HTTP client. It gets its replies in the
// order of its requests, and statuses of the framework (404, 500 and so on) as the HTTP status of that number, with the
// same JSON object as body; statuses of the application are a 299 for it too. A server whose replies have no X-Seq is
// some HTTP server. Its replies are matched by their order, and any HTTP status but 2xx becomes the status of the call.
//
// What HTTP has no form for is refused with an error that matches [ErrUnsupported]: a PUSH, transfer filters other than
// gzip, and meta that is no header.
//
// The functions may be used concurrently.
package httpproto
