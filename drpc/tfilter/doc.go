// Package tfilter transforms the payload of a frame between the protocol and
// the connection: it compresses, adds a check sum, hides.
//
// A filter has a byte id, which travels in the frame, and a name. None is
// registered from the start; a program calls, before it uses the network,
//
//	RegGzip(level)  'z' gzip     compresses
//	RegMD5()        '5' md5      notices accidental damage
//	RegAESGCM(key)  'g' aes-gcm  encrypts and notices every change
//	RegAES(key)     'a' aes      hides from casual eyes, for old peers only
//
// or [Reg] with one of its own. Both sides need the same filters; a peer may
// name any that is registered, so register only what peers may use.
//
// The filters of a message stand in a [PipeTFilter]. Packing applies the LAST
// filter first and the first one last, unpacking goes from the FIRST to the
// last: with the pipe "5a" the digest is over the ciphertext and checked before
// anything is decrypted.
//
// # Security
//
// To encrypt, use aes-gcm, which is authenticated. It protects each payload by
// itself: ids of filters and lengths of frames can be seen, and a payload can be
// repeated. TLS protects the whole conversation and is the better choice where
// it can be had.
//
// Neither md5 nor aes protects against somebody who can change the bytes. md5
// has no key. aes is AES-CBC with one constant IV and no authentication, as
// DMicro 1.x peers speak it: equal beginnings of messages show, and bits can
// be flipped. They exist to talk to old peers.
//
// A peer chooses the filters of what it sends: a payload that arrived need not
// have been encrypted. A handler that insists looks at the pipe of its message.
//
// # Concurrency
//
// The functions of this package and the filters may be used by any number of
// goroutines at once. A PipeTFilter belongs to one message and needs exclusive
// use while it is changed.
package tfilter
