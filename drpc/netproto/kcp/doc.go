// Package kcp is the transport of network "kcp": streams over UDP datagrams that are quick to repair losses, by KCP with
// forward error correction. An endpoint that encrypts does TLS on top.
//
// KCP itself has no beginning and no end. This package adds both, in small datagrams beside those of KCP that
// [Config.Older] peers take for garbage and drop: a dial is answered, and proves the address of the client, before the
// server keeps anything; Close tells the peer at once, and waits a moment until it has everything; a peer that is gone is
// noticed after [Config.Idle], or at once if its system answers.
//
// # Datagrams
//
// Those of KCP have 24 bytes or more: with error correction of 10 data and 3 parity shards, without encryption, at most
// 1400 bytes. Those of this package have 16, in little-endian order:
//
//	0  4  the conversation, as KCP has it
//	4  1  the kind: 1 hello, 2 cookie, 3 enter, 4 welcome, 5 alive, 6 here, 7 close, 8 closed, 9 gone
//	5  3  "dmk"
//	8  8  cookie and enter: the cookie; close: how many bytes were written before; else 0
//
// A client says hello until it gets a cookie, then enter with that cookie until it is welcome. An address has one
// conversation: a new one ends the one before, but an enter whose cookie is older than that of the one in place comes
// late, and is not answered. Alive is answered with here, or with gone where there is no such conversation; so are
// datagrams of KCP. Close is repeated until it is answered with closed, which a peer sends when its reader has all bytes,
// or has closed too.
//
// Nothing of this is protected from whoever can read the datagrams: use TLS where that matters.
//
// # Concurrency
//
// All functions and methods may be used concurrently. A connection has two goroutines, a socket has one.
package kcp
