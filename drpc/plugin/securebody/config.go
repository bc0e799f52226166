package securebody

import (
	"cmp"
	"crypto/aes"
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/drpc"
)

// DefaultKeyID is the id of the key of NewSecureBodyPlugin.
const DefaultKeyID = "default"

// minSecret is the length of the shortest secret, in bytes.
const minSecret = 16

// Key is a secret that both sides know, under the name that they know it by.
type Key struct {
	// ID travels in clear with each body: 1 to 64 characters of ASCII from the letters, digits and "._-".
	ID string
	// Secret has at least 16 bytes, from a source of random numbers. The key of the cipher is derived from it.
	Secret []byte
}

// Older says how far the form of DMicro 1.x is spoken.
type Older int

const (
	// OlderRefuse refuses bodies in the older form.
	OlderRefuse Older = iota
	// OlderAnswer accepts calls and pushes in the older form and answers such calls in it.
	OlderAnswer
	// OlderSpeak also sends calls and pushes in it, for a server that knows no other, and accepts such replies.
	OlderSpeak
)

// Config configures a plugin.
type Config struct {
	// Keys are the keys, at least one. The first one encrypts, all decrypt; a reply is encrypted with the key of its call.
	// To change keys, first add the new one behind the old one everywhere, then swap them everywhere, then take the old
	// one away.
	Keys []Key
	// StatCode is the code of the status that refuses a body, CodeConflict by default.
	StatCode int32
	// Require encrypts every call, push and reply, and refuses those that are not encrypted.
	Require bool
	// Older says how far the form of DMicro 1.x is spoken, not at all by default.
	Older Older
	// OlderKey is the key for that: 16, 24 or 32 bytes.
	OlderKey string
}

// New returns a plugin, or what is wrong with its configuration. An error never shows a secret.
func New(cfg Config) (*Plugin, error) {
	cfg.StatCode = cmp.Or(cfg.StatCode, drpc.CodeConflict)
	p := &Plugin{statCode: cfg.StatCode, require: cfg.Require, older: cfg.Older}
	if err := p.SetKeys(cfg.Keys...); err != nil {
		return nil, err
	}
	switch cfg.Older {
	case OlderRefuse:
	case OlderAnswer, OlderSpeak:
		block, err := aes.NewCipher([]byte(cfg.OlderKey))
		if err != nil {
			return nil, fmt.Errorf("securebody: OlderKey has %d bytes, want 16, 24 or 32", len(cfg.OlderKey))
		}
		p.olderCipher = newOlderCipher(block, cfg.OlderKey)
	default:
		return nil, fmt.Errorf("securebody: Older is %d", cfg.Older)
	}
	return p, nil
}

// NewSecureBodyPlugin returns a plugin with one key of at least 16 bytes, under DefaultKeyID. statCode is the code of the
// status that refuses a body, CodeConflict by default. What is wrong with the key is the error of the endpoint that the
// plugin is given to.
func NewSecureBodyPlugin(cipherKey string, statCode ...int32) drpc.Plugin {
	cfg := Config{Keys: []Key{{ID: DefaultKeyID, Secret: []byte(cipherKey)}}}
	if len(statCode) > 0 {
		cfg.StatCode = statCode[0]
	}
	p, err := New(cfg)
	if err != nil {
		return &Plugin{statCode: cmp.Or(cfg.StatCode, drpc.CodeConflict), err: err}
	}
	return p
}

// SetKeys changes the keys for bodies from now on, or returns what is wrong with them. The secrets may be wiped
// afterwards.
func (p *Plugin) SetKeys(keys ...Key) error {
	if len(keys) == 0 {
		return errors.New("securebody: there is no key")
	}
	ring := &keyring{first: keys[0].ID, all: make(map[string]*gcm, len(keys))}
	for i, k := range keys {
		if !validID(k.ID) {
			return fmt.Errorf("securebody: key %d: the id must be 1 to 64 letters, digits or any of ._-", i)
		}
		if len(k.Secret) < minSecret {
			return fmt.Errorf("securebody: key %s: the secret has %d bytes, want at least %d", k.ID, len(k.Secret), minSecret)
		}
		if ring.all[k.ID] != nil {
			return fmt.Errorf("securebody: two keys have the id %s", k.ID)
		}
		c, err := newGCM(k)
		if err != nil {
			return fmt.Errorf("securebody: key %s: %w", k.ID, err)
		}
		ring.all[k.ID] = c
	}
	p.keys.Store(ring)
	return nil
}

func validID(id string) bool {
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return 0 < len(id) && len(id) <= 64
}
