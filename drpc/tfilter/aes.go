package tfilter

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
)

// Id and name of the aes filter, see [RegAES].
const (
	AesId   = 'a'
	AesName = "aes"
)

// aesIV is the initialisation vector that DMicro 1.x peers use for everything.
const aesIV = "I Love Go Frame!"

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

func (f *aesFilter) OnPack(src []byte) ([]byte, error) {
	pad := aes.BlockSize - len(src)%aes.BlockSize
	out := make([]byte, len(src)+pad)
	for i := copy(out, src); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(f.block(), []byte(aesIV)).CryptBlocks(out, out)
	return out, nil
}

func (f *aesFilter) OnUnpack(src []byte) ([]byte, error) {
	if len(src) == 0 || len(src)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	out := make([]byte, len(src))
	cipher.NewCBCDecrypter(f.block(), []byte(aesIV)).CryptBlocks(out, src)
	n, ok := unpad(out)
	if !ok {
		return nil, ErrDecrypt
	}
	return out[:n:n], nil
}

// unpad returns the length of b, at least a block, without its PKCS#7 padding.
// It takes the same time whichever byte of the padding is wrong.
func unpad(b []byte) (n int, ok bool) {
	last := b[len(b)-1]
	pad := int(last)
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		outside := subtle.ConstantTimeLessOrEq(pad+1, i)
		good &= outside | subtle.ConstantTimeByteEq(b[len(b)-i], last)
	}
	return len(b) - pad, good == 1
}
