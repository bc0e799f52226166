package websocket

import (
	"net/http"
	"time"

	"github.com/osgochina/dmicro/drpc/proto"
)

// Defaults of the options.
const (
	defaultPingInterval     = 30 * time.Second
	defaultPingTimeout      = 10 * time.Second
	defaultHandshakeTimeout = 10 * time.Second
)

// Ping says how a peer that is gone without a word is found. The zero value means the defaults.
type Ping struct {
	// Interval is how long nothing may come from the peer before it is sent a ping, 30 s by default. Negative is no pings.
	Interval time.Duration
	// Timeout is how long nothing may come after that ping before the connection is closed, 10 s by default.
	Timeout time.Duration
}

func (p Ping) complete() Ping {
	if p.Interval == 0 {
		p.Interval = defaultPingInterval
	}
	if p.Timeout <= 0 {
		p.Timeout = defaultPingTimeout
	}
	return p
}

// Options are those of the accepting side. The zero value means the defaults.
type Options struct {
	Ping
	// SubProto is the sub-protocol, json by default.
	SubProto proto.ProtoFunc
	// Handshake looks at each request before it is accepted; an error refuses it with 403. Its text stays in the log.
	Handshake func(*http.Request) error
	// CheckOrigin reports whether the page that a request comes from may connect. By default it may if it came from the
	// host it connects to; requests without an Origin, which no browser sends, are let in.
	CheckOrigin func(*http.Request) bool
}

// DialOptions are those of the dialling side. The zero value means the defaults.
type DialOptions struct {
	Ping
	// Header is sent with the handshake, such as Authorization or Cookie. It must not be changed any more.
	Header http.Header
}
