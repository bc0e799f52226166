package tfilter

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/osgochina/dmicro/internal/oldaes"
)

// Id and name of the aes filter, see [RegAES].
const (
	AesId   = 'a'
	AesName = "aes"
)

// RegAES registers the aes filter with a key of 16, 24 or 32 bytes (AES-128,
// -192, -256), once in a process. It panics on any other length, and the second
// time. The key may be wiped afterwards; no error and no panic shows it.
//
// The packed form is AES in CBC mode with PKCS#7 padding and a constant IV. IT
// IS NOT AUTHENTICATED: whoever can change the bytes can change the message,
// and messages that begin alike look alike. It is here to talk to DMicro 1.x
// peers; use TLS to be safe. Whatever does not decrypt is [ErrDecrypt].
func RegAES(key []byte) {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("tfilter: RegAES: the key has %d bytes, want 16, 24 or 32", len(key)))
	}
	Reg(&aesFilter{func() cipher.Block { return block }})
}

// aesFilter holds its key behind a function: package fmt and whatever else
// prints values by reflection, a filter or a message that has one, would write
// out the key that a cipher.Block consists of, but cannot look into a function.
type aesFilter struct{ block func() cipher.Block }

func (*aesFilter) ID() byte     { return AesId }
func (*aesFilter) Name() string { return AesName }

func (f *aesFilter) OnPack(src []byte) ([]byte, error) { return oldaes.Seal(f.block(), src), nil }

func (f *aesFilter) OnUnpack(src []byte) ([]byte, error) {
	out, ok := oldaes.Open(f.block(), src)
	if !ok {
		return nil, ErrDecrypt
	}
	return out, nil
}
