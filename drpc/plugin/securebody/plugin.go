package securebody

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
)

// Name is the name of the plugin.
const Name = "secure(encrypt/decrypt)"

// Plugin encrypts and decrypts bodies. New makes one.
type Plugin struct {
	statCode    int32
	require     bool
	older       Older
	olderCipher *olderCipher
	keys        atomic.Pointer[keyring]
	err         error // what is wrong with the configuration
}

var (
	_ drpc.BeforeNewEndpointPlugin   = (*Plugin)(nil)
	_ drpc.BeforeWriteCallPlugin     = (*Plugin)(nil)
	_ drpc.BeforeWritePushPlugin     = (*Plugin)(nil)
	_ drpc.BeforeWriteReplyPlugin    = (*Plugin)(nil)
	_ drpc.BeforeReadCallBodyPlugin  = (*Plugin)(nil)
	_ drpc.BeforeReadPushBodyPlugin  = (*Plugin)(nil)
	_ drpc.BeforeReadReplyBodyPlugin = (*Plugin)(nil)
)

const (
	kindCall  = "call"
	kindPush  = "push"
	kindReply = "reply"
)

var (
	errPlain      = errors.New("the body is not encrypted")
	errPlainReply = errors.New("the reply is not encrypted")
	errForeign    = errors.New("the context is of another framework")
)

// exchange is what the calling side remembers of a call until its reply comes.
type exchange struct {
	answer []byte // what the reply is bound to
	secure bool   // the reply must be encrypted
}

// exchangeKey is the key of the exchange in the context of a call.
type exchangeKey struct{}

// sealer encrypts the body of one message.
type sealer struct {
	binding
	key   *gcm
	older *olderCipher // instead of key
	// exchange learns the nonce of a call.
	exchange *exchange
}

// Seal implements message.Sealer.
func (s *sealer) Seal(m *message.Msg, plain []byte) ([]byte, error) {
	if m.BodyCodec() == codec.NilCodecID && len(plain) == 0 {
		return nil, nil // the reply of a call that failed
	}
	if s.older != nil {
		return encodeEnvelope(m.BodyCodec(), s.older.version, s.older.seal(plain))
	}
	sealed := s.key.seal(plain, s.bytes(m.BodyCodec()))
	if s.exchange != nil {
		s.exchange.answer = sealed[:nonceSize]
	}
	return encodeEnvelope(m.BodyCodec(), gcmVersion+s.key.id, sealed)
}

// standby is the sealer of the reply to an encrypted call that wants it plain: EnforceSecure puts the real one in place.
type standby struct{ *sealer }

// Seal implements message.Sealer.
func (standby) Seal(_ *message.Msg, plain []byte) ([]byte, error) { return plain, nil }

// Name returns the name of the plugin.
func (*Plugin) Name() string { return Name }

// BeforeNewEndpoint returns what is wrong with the key of NewSecureBodyPlugin.
func (p *Plugin) BeforeNewEndpoint(*drpc.EndpointConfig, *drpc.PluginContainer) error { return p.err }

// methodOf is the service method as both sides know it: plugins on the way may change its case, and http its slash.
func methodOf(method string) string { return strings.ToLower(strings.TrimPrefix(method, "/")) }

func (p *Plugin) refuse(cause error) *drpc.Status {
	return drpc.NewStatus(p.statCode, drpc.CodeText(p.statCode), cause)
}

// newSealer returns the sealer of a message in the form that the plugin sends of itself.
func (p *Plugin) newSealer(b binding) (*sealer, *drpc.Status) {
	ring := p.keys.Load()
	if ring == nil {
		return nil, p.refuse(p.err)
	}
	s := &sealer{binding: b, key: ring.all[ring.first]}
	if p.older == OlderSpeak {
		s.older = p.olderCipher
	}
	return s, nil
}

// seal has m leave encrypted by s.
func seal(m *message.Msg, s *sealer) {
	m.SetSealer(s)
	m.Meta().Set(SecureMetaKey, yes)
	withBody(m)
}

// withBody gives a message without one an empty body, which is encrypted as any other.
func withBody(m *message.Msg) {
	if m.Body() == nil {
		m.SetBody([]byte{})
	}
	if m.BodyCodec() == codec.NilCodecID {
		m.SetBodyCodec(drpc.DefaultBodyCodec().ID())
	}
}

// BeforeWriteCall encrypts a call that is marked, and remembers what its reply must be.
func (p *Plugin) BeforeWriteCall(ctx drpc.WriteCtx) *drpc.Status {
	m := message.From(ctx.Output())
	wish, secure := wishOf(m), isMarked(m) || p.require
	ex := &exchange{secure: p.require || wantsSecure(secure, wish)}
	switch {
	case secure:
		s, stat := p.newSealer(binding{kind: kindCall, method: methodOf(m.ServiceMethod()), wish: wish})
		if stat != nil {
			return stat
		}
		s.exchange = ex
		seal(m, s)
	case ex.secure:
		challenge := []byte(rand.Text())
		m.Meta().Set(challengeMetaKey, base64.StdEncoding.EncodeToString(challenge))
		ex.answer = challenge
	default:
		return nil
	}
	m.SetContext(context.WithValue(m.Context(), exchangeKey{}, ex))
	return nil
}

// BeforeWritePush encrypts a push that is marked.
func (p *Plugin) BeforeWritePush(ctx drpc.WriteCtx) *drpc.Status {
	m := message.From(ctx.Output())
	if !isMarked(m) && !p.require {
		return nil
	}
	s, stat := p.newSealer(binding{kind: kindPush, method: methodOf(m.ServiceMethod())})
	if stat == nil {
		seal(m, s)
	}
	return stat
}

// BeforeReadCallBody decrypts a call, and has the reply encrypted, from here on: whatever other hooks do, or fail to do.
func (p *Plugin) BeforeReadCallBody(ctx drpc.ReadCtx) *drpc.Status {
	in := message.From(ctx.Input())
	wish, secure := wishOf(in), isMarked(in)
	s, stat := p.open(in, binding{kind: kindCall, method: methodOf(ctx.ServiceMethod()), wish: wish}, secure)
	want := p.require || wantsSecure(secure, wish)
	if stat != nil || !want && !secure {
		return stat
	}
	out, ok := ctx.(drpc.WriteCtx)
	if !ok {
		return p.refuse(errForeign)
	}
	if s == nil { // the call is not encrypted
		if s, stat = p.answering(in); stat != nil {
			return stat
		}
	}
	s.kind, s.method, s.wish = kindReply, methodOf(ctx.ServiceMethod()), ""
	m := message.From(out.Output())
	if !want {
		m.SetSealer(standby{s})
		return nil
	}
	m.SetSealer(s)
	m.Meta().Set(SecureMetaKey, yes)
	return nil
}

// answering returns the sealer of the reply to a call that was not encrypted.
func (p *Plugin) answering(in *message.Msg) (*sealer, *drpc.Status) {
	s, stat := p.newSealer(binding{})
	if stat != nil {
		return nil, stat
	}
	if text, ok := in.PeekMeta(challengeMetaKey).(string); ok {
		challenge, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, p.refuse(errOpen)
		}
		s.answer, s.older = challenge, nil // who sends a challenge knows the newer form
	} else if p.older != OlderRefuse {
		s.older = p.olderCipher // and who sends none does not
	}
	return s, nil
}

// BeforeReadPushBody decrypts a push.
func (p *Plugin) BeforeReadPushBody(ctx drpc.ReadCtx) *drpc.Status {
	in := message.From(ctx.Input())
	_, stat := p.open(in, binding{kind: kindPush, method: methodOf(ctx.ServiceMethod())}, isMarked(in))
	return stat
}

// BeforeWriteReply encrypts a reply that EnforceSecure has marked, and takes the mark off one that has no body.
func (p *Plugin) BeforeWriteReply(ctx drpc.WriteCtx) *drpc.Status {
	m := message.From(ctx.Output())
	if !isMarked(m) {
		return nil
	}
	if m.Body() == nil && !m.StatusOK() {
		m.Meta().Remove(SecureMetaKey)
		m.SetSealer(nil)
		return nil
	}
	if _, done := m.Sealer().(*sealer); !done {
		s, stat := p.newSealer(binding{})
		if in, ok := ctx.(drpc.ReadCtx); ok && stat == nil {
			s, stat = p.answering(message.From(in.Input()))
			if stat == nil {
				s.kind, s.method = kindReply, methodOf(in.ServiceMethod())
			}
		}
		if stat != nil {
			m.SetSealer(unsealed{}) // it must not leave
			return stat
		}
		m.SetSealer(s)
	}
	withBody(m)
	return nil
}

// BeforeReadReplyBody decrypts a reply, and refuses one that should be encrypted and is not.
func (p *Plugin) BeforeReadReplyBody(ctx drpc.ReadCtx) *drpc.Status {
	in := message.From(ctx.Input())
	ex, _ := ctx.Context().Value(exchangeKey{}).(*exchange)
	must := ex != nil && ex.secure
	switch {
	case isMarked(in) && (len(in.EncodedBody()) > 0 || in.StatusOK()):
		b := binding{kind: kindReply, method: methodOf(ctx.ServiceMethod())}
		if ex != nil {
			b.answer = ex.answer
		}
		_, stat := p.open(in, b, true)
		return stat
	case must && in.StatusOK():
		return p.refuse(errPlainReply)
	case must:
		in.SetEncodedBody(nil) // an error needs no body
	}
	return nil
}

// open decrypts the body of m, if it is marked. It returns the sealer of an answer in the same form, nil where the
// message was not encrypted and need not be.
func (p *Plugin) open(m *message.Msg, b binding, marked bool) (*sealer, *drpc.Status) {
	if !marked {
		if p.require {
			return nil, p.refuse(errPlain)
		}
		return nil, nil
	}
	version, sealed, err := decodeEnvelope(m.BodyCodec(), m.EncodedBody())
	if err != nil {
		return nil, p.refuse(err)
	}
	answer := new(sealer)
	var plain []byte
	if id, newer := strings.CutPrefix(version, gcmVersion); newer {
		plain, err = p.openGCM(m, b, id, sealed, answer)
	} else {
		plain, err = p.openOlder(b, version, sealed, answer)
	}
	if err != nil {
		return nil, p.refuse(err)
	}
	m.SetEncodedBody(plain)
	return answer, nil
}

func (p *Plugin) openGCM(m *message.Msg, b binding, id string, sealed []byte, answer *sealer) ([]byte, error) {
	ring := p.keys.Load()
	if ring == nil || ring.all[id] == nil {
		return nil, errOpen
	}
	plain, err := ring.all[id].open(sealed, b.bytes(m.BodyCodec()))
	if err == nil {
		answer.key, answer.answer = ring.all[id], sealed[:nonceSize]
	}
	return plain, err
}

// openOlder opens the form of DMicro 1.x where that is spoken: a reply only where calls are sent in it.
func (p *Plugin) openOlder(b binding, version string, sealed []byte, answer *sealer) ([]byte, error) {
	spoken := p.older == OlderSpeak || p.older == OlderAnswer && b.kind != kindReply
	if !spoken || p.olderCipher == nil || version != p.olderCipher.version {
		return nil, errOpen
	}
	answer.older = p.olderCipher
	return p.olderCipher.open(sealed)
}
