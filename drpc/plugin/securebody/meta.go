package securebody

import (
	"errors"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

const (
	// SecureMetaKey is the meta key that marks a message whose body is encrypted, with the value "true".
	SecureMetaKey = "X-Secure-Body"
	// ReplySecureMetaKey is the meta key by which a call says whether its reply shall be encrypted, "true" or "false".
	ReplySecureMetaKey = "X-Reply-Secure-Body"
	// challengeMetaKey carries what the encrypted reply to a call that is not encrypted is bound to.
	challengeMetaKey = "X-Secure-Challenge"

	yes, no = "true", "false"
)

// errNoPlugin fails a message that shall be encrypted where nobody does it.
var errNoPlugin = errors.New("securebody: the body shall be encrypted, but the endpoint has no plugin for it")

// unsealed is the sealer of a message that waits for the plugin. Without one it does not leave.
type unsealed struct{}

func (unsealed) Seal(*message.Msg, []byte) ([]byte, error) { return nil, errNoPlugin }

// WithSecureMeta has the body of a call or push encrypted, and the reply, unless WithReplySecureMeta says otherwise. It
// fails with CodeWriteFailed where the endpoint has no plugin.
func WithSecureMeta() message.MsgSetting { return EnforceSecure }

// WithReplySecureMeta says whether the reply to a call shall be encrypted, whatever the call is.
func WithReplySecureMeta(secure bool) message.MsgSetting {
	if secure {
		return drpc.WithSetMeta(ReplySecureMetaKey, yes)
	}
	return drpc.WithSetMeta(ReplySecureMetaKey, no)
}

// EnforceSecure has the body of a message encrypted. A handler calls it with its Output to have the reply encrypted
// whatever the call wants.
func EnforceSecure(output message.Message) {
	m := message.From(output)
	m.Meta().Set(SecureMetaKey, yes)
	switch s := m.Sealer().(type) {
	case nil:
		m.SetSealer(unsealed{})
	case standby:
		m.SetSealer(s.sealer)
	}
}

// Secured reports whether the body of the message that a handler has before it came encrypted. A handler that insists
// asks it. It is false on an endpoint without the plugin, where a mark proves nothing.
func Secured(ctx interface {
	drpc.EarlyCtx
	PeekMeta(key string) any
}) bool {
	return isMarked(ctx) && ctx.Endpoint().PluginContainer().GetByName(Name) != nil
}

func isMarked(m interface{ PeekMeta(key string) any }) bool { return m.PeekMeta(SecureMetaKey) == yes }

// wishOf is what a call says about its reply.
func wishOf(m *message.Msg) string {
	wish, _ := m.PeekMeta(ReplySecureMetaKey).(string)
	return wish
}

// wantsSecure reports whether the reply to a call is to be encrypted.
func wantsSecure(callIsSecure bool, wish string) bool {
	return wish == yes || callIsSecure && wish != no
}
