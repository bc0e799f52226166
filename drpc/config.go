package drpc

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/socket"
)

// Defaults of EndpointConfig.
const (
	defaultNetwork          = "tcp"
	defaultIP               = "0.0.0.0"
	defaultRedialInterval   = 100 * time.Millisecond
	defaultWriteTimeout     = 30 * time.Second
	defaultHandshakeTimeout = 10 * time.Second

	defaultMaxSessions             = 100_000
	defaultMaxRequests             = 10_000
	defaultMaxEndpointRequests     = 100_000
	defaultMaxRequestBytes         = 256 << 20
	defaultMaxEndpointRequestBytes = 1 << 30
	defaultFirstFrameTimeout       = 60 * time.Second
	defaultFrameTimeout            = 30 * time.Second
)

// EndpointConfig configures an endpoint. The zero value is a working client; a server sets at least ListenPort, or
// takes a random port.
type EndpointConfig struct {
	// Network is the transport: tcp (the default), tcp4, tcp6, unix, unixpacket, kcp or quic, or one that the program
	// has registered with netproto.Register. A build with the tag drpc_slim has no kcp and no quic.
	Network string `json:"network"`
	// ListenIP is the address to listen on, LocalIP by default. For unix it is the path of the socket.
	ListenIP string `json:"listen_ip"`
	// ListenPort is the port to listen on; 0 takes a free one.
	ListenPort uint16 `json:"listen_port"`
	// LocalIP is the address to dial from, "0.0.0.0" by default. For unix it is the path that the peer knows the dialler by.
	LocalIP string `json:"local_ip"`
	// LocalPort is the port to dial from; 0 takes a free one.
	LocalPort uint16 `json:"local_port"`
	// DefaultBodyCodec is the name of the codec of bodies whose message names none, DefaultBodyCodec() by default.
	DefaultBodyCodec string `json:"default_body_codec"`
	// DefaultSessionAge is how long a session lives at most, active or not; 0 is for ever.
	DefaultSessionAge time.Duration `json:"default_session_age"`
	// SessionIdleTimeout closes a session over which no byte came or went, and on which no handler and no call was at
	// work, for that long; 0 is never. It closes as Close does: a dialled session is not redialled. Heartbeats keep a
	// session alive. It may take up to twice as long after a handler that has sent nothing.
	SessionIdleTimeout time.Duration `json:"session_idle_timeout"`
	// DefaultContextAge bounds a call, on the calling side from Call on, on the serving side from its arrival on; 0
	// is no bound. A call over it ends with CodeHandleTimeout.
	DefaultContextAge time.Duration `json:"default_context_age"`
	// HandleTimeout bounds the handling of a call on the serving side, from its arrival on, whatever the caller and the
	// context age allow; 0 is no bound. The context of the handler ends with it, and the caller gets CodeHandleTimeout.
	HandleTimeout time.Duration `json:"handle_timeout"`
	// SlowCometDuration is the cost from which the run log calls a message slow; 0 is never.
	SlowCometDuration time.Duration `json:"slow_comet_duration"`
	// PrintDetail adds meta and body of each message to the run log, which is written at debug level. They may hold
	// secrets.
	PrintDetail bool `json:"print_detail"`
	// DialTimeout bounds one attempt to connect; 0 leaves it to the system.
	DialTimeout time.Duration `json:"dial_timeout"`
	// RedialTimes is how often a dialled session tries to reconnect after each loss: 0 never, negative for ever. A
	// connection that was lost again before it had lasted as long as the longest pause before it counts as an attempt
	// that failed. A first Dial makes as many attempts, at least one, and a single one where it is negative.
	RedialTimes int `json:"redial_times"`
	// RedialInterval is the shortest pause between attempts, 100 ms by default. Pauses grow up to 30 s and are
	// random, so that many clients do not come back at once; they are short again after a connection that has lasted.
	RedialInterval time.Duration `json:"redial_interval"`

	// MaxMessageSize is the largest frame in bytes, both ways; 0 follows SetReadLimit, which is 4 MiB by default.
	MaxMessageSize uint32 `json:"max_message_size"`
	// OutboxSize is how many bytes may wait to be written to one session before senders wait; 4 MiB by default.
	OutboxSize int `json:"outbox_size"`
	// WriteTimeout ends a session whose peer reads nothing for that long while something is to be written; 30 s by
	// default, negative is no limit.
	WriteTimeout time.Duration `json:"write_timeout"`
	// MaxSessions is how many accepted sessions there may be at the same time, those whose handshake is under way
	// included; 100,000 by default, negative is no limit. A connection above it is closed at once, before a TLS
	// handshake, and counted in a warning that is logged every ten seconds at most. Sessions that the program dials do
	// not count.
	MaxSessions int `json:"max_sessions"`
	// MaxRequests is how many calls and pushes of one session are handled at the same time; 10,000 by default, negative
	// is no limit. A call above it is answered with CodeBusy at once and not executed, a push is dropped.
	MaxRequests int `json:"max_requests"`
	// MaxEndpointRequests is MaxRequests for all sessions together; 100,000 by default, negative is no limit.
	MaxEndpointRequests int `json:"max_endpoint_requests"`
	// MaxRequestBytes is how many bytes of calls and pushes of one session are held for their handlers at the same
	// time, as received or as inflated, whichever is more; 256 MiB by default, negative is no limit. What is above it
	// is treated as above MaxRequests, but a request that is the only one of its session. Those of up to 4 KiB are not
	// counted: their number is bounded.
	MaxRequestBytes int64 `json:"max_request_bytes"`
	// MaxEndpointRequestBytes is MaxRequestBytes for all sessions together; 1 GiB by default, negative is no limit.
	MaxEndpointRequestBytes int64 `json:"max_endpoint_request_bytes"`
	// HandshakeTimeout bounds a TLS handshake; 10 s by default, negative is no limit.
	HandshakeTimeout time.Duration `json:"handshake_timeout"`
	// FirstFrameTimeout ends an accepted connection whose peer says nothing: within this time from the accept on its
	// first message must have come, whole; 60 s by default, negative is no limit. A peer that only listens is spared
	// where this side has sent it something since its session was up, or where it answers the pings of its transport,
	// as WebSocket clients do. Peers of this module that have dialled and have nothing to say for three seconds say
	// just that. It also bounds each Early method that waits for the peer and has no other bound, on both sides.
	FirstFrameTimeout time.Duration `json:"first_frame_timeout"`
	// FrameTimeout ends a connection whose peer begins a message and does not finish it: that long it may take for
	// each MiB, or part of one, of a message; 30 s by default, negative is no limit. A protocol that knows only Pack
	// and Unpack is not bounded by it.
	FrameTimeout time.Duration `json:"frame_timeout"`

	bodyCodec codec.Codec
	transport netproto.Transport
}

// complete fills in the defaults and checks the rest. It may be called again.
func (c *EndpointConfig) complete() error {
	setDefault(&c.Network, defaultNetwork)
	transport, err := netproto.Get(c.Network)
	if err != nil {
		return err
	}
	c.transport = transport
	if !c.isUnix() {
		setDefault(&c.LocalIP, defaultIP)
		setDefault(&c.ListenIP, c.LocalIP)
		for _, ip := range []string{c.LocalIP, c.ListenIP} {
			if err = checkHost(ip); err != nil {
				return err
			}
		}
	}
	if c.DefaultBodyCodec == "" {
		c.DefaultBodyCodec = DefaultBodyCodec().Name()
	}
	if c.bodyCodec, err = codec.GetByName(c.DefaultBodyCodec); err != nil {
		return fmt.Errorf("DefaultBodyCodec: %w", err)
	}
	if c.RedialInterval <= 0 {
		c.RedialInterval = defaultRedialInterval
	}
	if c.OutboxSize <= 0 {
		c.OutboxSize = socket.DefaultOutboxSize
	}
	setDefault(&c.WriteTimeout, defaultWriteTimeout)
	setDefault(&c.HandshakeTimeout, defaultHandshakeTimeout)
	setDefault(&c.MaxSessions, defaultMaxSessions)
	setDefault(&c.MaxRequests, defaultMaxRequests)
	setDefault(&c.MaxEndpointRequests, defaultMaxEndpointRequests)
	setDefault(&c.MaxRequestBytes, defaultMaxRequestBytes)
	setDefault(&c.MaxEndpointRequestBytes, defaultMaxEndpointRequestBytes)
	setDefault(&c.FirstFrameTimeout, defaultFirstFrameTimeout)
	setDefault(&c.FrameTimeout, defaultFrameTimeout)
	c.DefaultSessionAge = max(c.DefaultSessionAge, 0)
	c.DefaultContextAge = max(c.DefaultContextAge, 0)
	c.HandleTimeout = max(c.HandleTimeout, 0)
	c.SessionIdleTimeout = max(c.SessionIdleTimeout, 0)
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkHost accepts an IP address or a host name; a typo in one shall not wait for the first dial.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil { // with or without an IPv6 zone
		return nil
	}
	if strings.ContainsAny(host, " /:") || host == "" {
		return fmt.Errorf("%q is no address to listen on or dial from: give an IP address or a host name without port", host)
	}
	return nil
}

func (c *EndpointConfig) isUnix() bool { return strings.HasPrefix(c.Network, "unix") }

// ListenAddr returns the address that the endpoint will listen on, nil where the configuration names none.
func (c *EndpointConfig) ListenAddr() net.Addr {
	if c.complete() != nil {
		return nil
	}
	return c.addr(c.ListenIP, c.ListenPort)
}

// LocalAddr returns the address that the endpoint will dial from, nil where the configuration names none.
func (c *EndpointConfig) LocalAddr() net.Addr {
	if c.complete() != nil {
		return nil
	}
	return c.addr(c.LocalIP, c.LocalPort)
}

func (c *EndpointConfig) addr(ip string, port uint16) net.Addr {
	if c.isUnix() {
		return &net.UnixAddr{Name: ip, Net: c.Network}
	}
	if parsed := net.ParseIP(ip); parsed != nil {
		return &net.TCPAddr{IP: parsed, Port: int(port)}
	}
	network := c.Network
	if !strings.HasPrefix(network, "tcp") {
		network = "tcp" // a name is looked up in the same way for every network with ports
	}
	addr, err := net.ResolveTCPAddr(network, joinPort(ip, port))
	if err != nil {
		return nil
	}
	return addr
}

// listenText is the address in the form that a transport takes.
func (c *EndpointConfig) listenText() string {
	if c.isUnix() {
		return c.ListenIP
	}
	return joinPort(c.ListenIP, c.ListenPort)
}

// localText is the address to dial from, empty where the system may choose.
func (c *EndpointConfig) localText() string {
	if c.isUnix() {
		if c.LocalIP == defaultIP { // what configuration files fill in for every network
			return ""
		}
		return c.LocalIP
	}
	if ip := net.ParseIP(c.LocalIP); ip != nil && ip.IsUnspecified() && c.LocalPort == 0 {
		return ""
	}
	return joinPort(c.LocalIP, c.LocalPort)
}

func joinPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// decimal is a number as text.
func decimal[N byte | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }
