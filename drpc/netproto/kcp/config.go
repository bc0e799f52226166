package kcp

import (
	"errors"
	"time"
)

// Error correction: so many parity datagrams follow so many of data. Older peers have the same.
const (
	DefaultDataShards   = 10
	DefaultParityShards = 3
)

const (
	// mtu is what datagrams have at most, in bytes.
	mtu = 1400
	// window is how many datagrams may be on their way, in either direction of a connection.
	window = 256
	// interval is in milliseconds how often KCP looks what is to be repeated.
	interval = 10
	// fastResend is after how many later acknowledgements a datagram counts as lost.
	fastResend = 2
)

// Config are the limits of the transport. The zero value means the defaults.
type Config struct {
	// Idle ends a connection when nothing came from its peer for that long; 10 s by default. A peer that lives is heard
	// eight times as often.
	Idle time.Duration
	// Linger is how long Close waits at most until the peer has everything; 1 s by default.
	Linger time.Duration
	// DialTimeout bounds a dial whose context ends later; 5 s by default.
	DialTimeout time.Duration
	// Backlog is how many connections wait for Accept before clients have to ask again; 128 by default.
	Backlog int
	// MaxSessions is how many connections a listener has at most, each takes some 300 KiB; 4096 by default.
	MaxSessions int
	// Older is for peers of DMicro 1.x, which know nothing but KCP. A dial then succeeds at once, whether anybody is
	// there or not; a listener takes whatever looks like the beginning of a KCP conversation; and a silent peer is
	// given ten minutes.
	Older bool
}

const olderIdle = 10 * time.Minute

func (c Config) withDefaults() *Config {
	setDefault(&c.Idle, 10*time.Second)
	setDefault(&c.Linger, time.Second)
	setDefault(&c.DialTimeout, 5*time.Second)
	setDefault(&c.Backlog, 128)
	setDefault(&c.MaxSessions, 4096)
	return &c
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// IdleError ends a connection whose peer was not heard for as long as Config.Idle says. It is a timeout in the sense of
// net.Error, but the connection is of no more use.
type IdleError struct {
	// After is how long nothing came.
	After time.Duration
}

// Error says after which time.
func (e *IdleError) Error() string { return "kcp: nothing came from the peer for " + e.After.String() }

// Timeout is true.
func (e *IdleError) Timeout() bool { return true }

// Temporary is false.
func (e *IdleError) Temporary() bool { return false }

// ErrNoAnswer is what a dial ends with when nobody answers in time.
var ErrNoAnswer = errors.New("kcp: nobody answers")
