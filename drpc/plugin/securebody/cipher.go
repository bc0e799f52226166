package securebody

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/osgochina/dmicro/internal/oldaes"
)

const (
	// gcmInfo separates the keys of this package from every other use of the same secrets.
	gcmInfo = "dmicro securebody aes-gcm"
	// gcmVersion, followed by the id of the key, is the version of an envelope.
	gcmVersion = "aes-gcm/"
	nonceSize  = 12
)

// errOpen is all that anybody learns of why a body was refused.
var errOpen = errors.New("the body was not encrypted with a key of ours for this message")

// keyring is the keys of a plugin. It never changes once made.
type keyring struct {
	first string
	all   map[string]*gcm
}

// gcm is a key with its cipher. The cipher is behind a function, so that nothing prints it.
type gcm struct {
	id   string
	aead func() cipher.AEAD
}

func newGCM(k Key) (*gcm, error) {
	key, err := hkdf.Key(sha256.New, k.Secret, nil, gcmInfo, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &gcm{k.ID, func() cipher.AEAD { return aead }}, nil
}

// seal returns a random nonce, the encrypted body and its tag.
func (c *gcm) seal(plain, bound []byte) []byte {
	aead := c.aead()
	return aead.Seal(make([]byte, 0, len(plain)+aead.Overhead()), nil, plain, bound)
}

func (c *gcm) open(sealed, bound []byte) ([]byte, error) {
	plain, err := c.aead().Open(nil, nil, sealed, bound)
	if err != nil {
		return nil, errOpen
	}
	return plain, nil
}

// binding is what a body is authenticated together with.
type binding struct {
	kind   string // call, push or reply
	method string
	wish   string // the meta ReplySecureMetaKey of a call
	answer []byte // what a reply answers
}

// bytes is the form of a binding that goes into the cipher: parts with their lengths, so that none can pass for another.
func (b *binding) bytes(codec byte) []byte {
	var out []byte
	for _, part := range []string{b.kind, b.method, b.wish, string(b.answer), string([]byte{codec})} {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// olderCipher is AES-CBC as DMicro 1.x has it.
type olderCipher struct {
	version string
	block   func() cipher.Block
}

func newOlderCipher(block cipher.Block, key string) *olderCipher {
	sum := md5.Sum([]byte(key))
	return &olderCipher{hex.EncodeToString(sum[:]), func() cipher.Block { return block }}
}

func (c *olderCipher) seal(plain []byte) []byte { return oldaes.Seal(c.block(), plain) }

func (c *olderCipher) open(sealed []byte) ([]byte, error) {
	plain, ok := oldaes.Open(c.block(), sealed)
	if !ok {
		return nil, errOpen
	}
	return plain, nil
}
