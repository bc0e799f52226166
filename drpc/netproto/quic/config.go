package quic

import (
	"crypto/tls"
	"time"

	quicgo "github.com/quic-go/quic-go"
)

// Config are the limits of the transport. The zero value means the defaults.
type Config struct {
	// Idle ends a connection when nothing came from its peer for that long; 10 s by default. A peer that lives is heard
	// three times as often.
	Idle time.Duration
	// Linger is how long Close waits at most for the peer to read to the end; 1 s by default.
	Linger time.Duration
	// DialTimeout bounds a dial whose context ends later; 5 s by default. A server ends a handshake whose client says nothing
	// for that long.
	DialTimeout time.Duration
	// SilenceTimeout is how long a client may take to open its stream before its connection is closed; 10 s by default.
	// Other clients do not wait for it.
	SilenceTimeout time.Duration
	// Backlog is how many connections wait for Accept; 128 by default. Further ones wait as long as SilenceTimeout says.
	Backlog int
	// MaxSessions is how many connections a listener has at most, including those in their handshake; 4096 by default.
	MaxSessions int
	// TLS is the configuration where an endpoint has none.
	TLS *tls.Config
}

func (c Config) withDefaults() *Config {
	setDefault(&c.Idle, 10*time.Second)
	setDefault(&c.Linger, time.Second)
	setDefault(&c.DialTimeout, 5*time.Second)
	setDefault(&c.SilenceTimeout, 10*time.Second)
	setDefault(&c.Backlog, 128)
	setDefault(&c.MaxSessions, 4096)
	return &c
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// quic are the settings of the library. A client may open one stream, in both directions, and a server none.
func (c *Config) quic(server bool) *quicgo.Config {
	streams := int64(-1)
	if server {
		streams = 1
	}
	return &quicgo.Config{
		HandshakeIdleTimeout:  c.DialTimeout,
		MaxIdleTimeout:        c.Idle,
		KeepAlivePeriod:       c.Idle / 3,
		MaxIncomingStreams:    streams,
		MaxIncomingUniStreams: -1,
	}
}
