// Package securebody is a plugin that encrypts bodies between peers that share a key, message by message, where a call or
// push says so with [WithSecureMeta] or everywhere. Header, meta and statuses stay readable. Bodies pass proxies and
// every protocol.
//
// Bodies are encrypted and authenticated with AES-256-GCM. The type of the message, its service method, its codec and the
// wish for a secured reply are authenticated with them, and so is, for a reply, the call that it answers: a body cannot
// be changed, be sent to another method, or come back as the answer to another call. It can be sent again by who has
// recorded it, which TLS prevents, and this package does not.
//
// The peer decides nothing that the caller has not left to it: the reply to a call that was encrypted, or that asked for
// it, is refused where it is not encrypted. A body that is marked and does not check is refused with 409, and every
// reason for that looks the same from outside. With [Config].Require a body that is not encrypted is neither accepted
// nor sent.
//
// The form of DMicro 1.x is spoken only where [Config].Older says so: its cipher has a constant initialisation vector and no
// authentication, and its frames tell a digest of the key.
//
// A plugin may be used by several endpoints and is called from many goroutines at once.
package securebody
