package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/status"
)

const (
	// DefaultTimeout is how long the exchange may take.
	DefaultTimeout = 10 * time.Second
	// DefaultMaxSize is how large the message with a credential may be, in bytes: room for any token or certificate, and
	// little to hold for a stranger.
	DefaultMaxSize = 64 << 10
)

// Names of the plugins.
const (
	BearerName  = "auth-bearer"
	CheckerName = "auth-checker"
)

// Session is a session as the functions of this package see it, before it is up.
type Session interface {
	// Endpoint returns the endpoint of the session.
	Endpoint() drpc.Endpoint
	// SetID renames the session. Another session under that name is closed.
	SetID(newID string)
	// LocalAddr returns the address of this side.
	LocalAddr() net.Addr
	// RemoteAddr returns the address of the peer.
	RemoteAddr() net.Addr
	// Swap returns values that stay with the session.
	Swap() *gmap.Map
}

// Bearer sends the credential by a call of fn, once. A status of its own fails the dial.
type Bearer func(sess Session, fn SendOnce) *drpc.Status

// SendOnce sends info and waits for the answer of the checker, which is decoded into retReCv, a pointer or nil. It returns
// the status of the checker, CodeConnClosed where none came in time, and [MultiSendErr] the second time.
type SendOnce func(info, retReCv any) *drpc.Status

// Checker reads the credential by a call of fn, once, and decides. A status refuses the client, which gets it; ret is
// sent to one that is let in, nil for nothing.
type Checker func(sess Session, fn ReCvOnce) (ret any, stat *drpc.Status)

// ReCvOnce receives the credential into infoReCv, a pointer. It returns CodeConnClosed where none came in time, or one
// above the limit of Config.MaxSize, CodeUnauthorized for what is none, and [MultiReCvErr] the second time.
type ReCvOnce func(infoReCv any) *drpc.Status

// What a function gets that calls twice what it may call once. They must not be changed.
var (
	MultiSendErr = status.New(drpc.CodeWriteFailed, "auth-bearer plugin usage is incorrect", "multiple call SendOnce function")
	MultiReCvErr = status.New(drpc.CodeInternalServerError, "auth-checker plugin usage is incorrect", "multiple call ReCvOnce function")
)

// Config configures a plugin. The zero value is what NewBearerPlugin and NewCheckerPlugin use.
type Config struct {
	// Timeout is how long the exchange may take, from the moment that the connection is up; DefaultTimeout by default.
	Timeout time.Duration
	// MaxSize is how large the message with the credential may be, in bytes as received and as inflated; DefaultMaxSize by
	// default. Only the checker looks at it. That of the endpoint holds in any case, and for every later message.
	MaxSize uint32
	// Settings apply to the message that is sent: the codec of the body, meta, filters.
	Settings []message.MsgSetting
}

func (c Config) timeout() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

func (c Config) maxSize() uint32 {
	if c.MaxSize == 0 {
		return DefaultMaxSize
	}
	return c.MaxSize
}

type bearer struct {
	fn  Bearer
	cfg Config
}

type checker struct {
	fn  Checker
	cfg Config
}

var (
	_ drpc.AfterDialPlugin   = (*bearer)(nil)
	_ drpc.AfterAcceptPlugin = (*checker)(nil)
)

// NewBearerPlugin returns the plugin for the side that dials. A dial whose credential is refused has failed, and is
// tried again as often as the endpoint tries. setting applies to the message with the credential.
func NewBearerPlugin(fn Bearer, setting ...message.MsgSetting) drpc.Plugin {
	return NewBearer(fn, Config{Settings: setting})
}

// NewBearer is NewBearerPlugin with a configuration.
func NewBearer(fn Bearer, cfg Config) drpc.Plugin { return &bearer{fn, cfg} }

// NewCheckerPlugin returns the plugin for the side that accepts. A connection whose credential is refused is closed.
// setting applies to the answer.
func NewCheckerPlugin(fn Checker, setting ...message.MsgSetting) drpc.Plugin {
	return NewChecker(fn, Config{Settings: setting})
}

// NewChecker is NewCheckerPlugin with a configuration.
func NewChecker(fn Checker, cfg Config) drpc.Plugin { return &checker{fn, cfg} }

// Name returns the name of the plugin.
func (*bearer) Name() string { return BearerName }

// Name returns the name of the plugin.
func (*checker) Name() string { return CheckerName }

// AfterDial shows the credential.
func (b *bearer) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status {
	ctx, cancel := context.WithTimeout(context.Background(), b.cfg.timeout())
	defer cancel()
	once := false
	return b.fn(sess, func(info, ret any) *drpc.Status {
		if once {
			return MultiSendErr
		}
		once = true
		if stat := sess.EarlySend(drpc.TypeAuthCall, "", info, nil, b.cfg.settings(ctx)...); !stat.OK() {
			return stat
		}
		answer, stat := receive(ctx, sess, drpc.TypeAuthReply, ret)
		if !stat.OK() {
			return stat
		}
		return answer.Status()
	})
}

// AfterAccept checks the credential.
func (c *checker) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.timeout())
	defer cancel()
	once := false
	ret, stat := c.fn(sess, func(info any) *drpc.Status {
		if once {
			return MultiReCvErr
		}
		once = true
		sess.SetEarlyReadLimit(c.cfg.maxSize())
		defer sess.SetEarlyReadLimit(0) // what other plugins read is their business
		_, stat := receive(ctx, sess, drpc.TypeAuthCall, info)
		return stat
	})
	if !stat.OK() {
		ret = nil
	}
	sent := sess.EarlySend(drpc.TypeAuthReply, "", ret, stat, c.cfg.settings(ctx)...)
	if !stat.OK() {
		return stat
	}
	return sent
}

// settings are those of the user and the deadline.
func (c Config) settings(ctx context.Context) []message.MsgSetting {
	return append([]message.MsgSetting{drpc.WithContext(ctx)}, c.Settings...)
}

var errNoCredential = errors.New("what was received cannot be decoded")

// receive reads the one message of the peer. A peer that is not known yet learns nothing about what it sent, so what it
// sent is in no status.
func receive(ctx context.Context, sess drpc.EarlySession, mtype byte, body any) (message.Message, *drpc.Status) {
	decoding := false
	input := sess.EarlyReceive(func(h message.Header) any {
		if h.MType() != mtype || !h.StatusOK() {
			return nil
		}
		decoding = true
		return body
	}, ctx)
	failed := !input.StatusOK()
	switch {
	case failed && input.MType() == drpc.TypeUndefined, ctx.Err() != nil:
		return input, input.Status() // nothing came, or not in time
	case input.MType() != mtype:
		return nil, unauthorized(fmt.Errorf("auth message(1st) expect: %s, but received: %s",
			drpc.TypeText(mtype), drpc.TypeText(input.MType())))
	case failed && (decoding || mtype == drpc.TypeAuthCall):
		return nil, unauthorized(errNoCredential)
	}
	return input, nil
}

func unauthorized(cause error) *drpc.Status {
	return drpc.NewStatus(drpc.CodeUnauthorized, drpc.CodeText(drpc.CodeUnauthorized), cause)
}
