// Package message is the unit that travels between two peers: a header (sequence number, type, service method,
// status, meta), a body with its codec, and the pipe of transfer filters that its frame passes through.
//
// [Message] is what handlers, hooks and protocols see. [Msg] is its one implementation; protocols on the fast path
// use it directly, because it appends and parses its parts without intermediate values: an OK status and an empty
// meta are constants that are copied on write and compared on read, and a received body stays encoded until somebody
// asks for it.
//
// A Message is not safe for concurrent use, apart from the map that Meta returns.
package message
