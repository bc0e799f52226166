// Package oldaes is the encryption of DMicro 1.x: AES in CBC mode with PKCS#7 padding and one constant initialisation
// vector, not authenticated. It is here to talk to such peers, and hides nothing from somebody who can change the bytes.
//
// Its functions may be used concurrently.
package oldaes

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// iv is what DMicro 1.x peers begin everything with.
const iv = "I Love Go Frame!"

// Seal returns plain padded and encrypted, in new memory.
func Seal(block cipher.Block, plain []byte) []byte {
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, len(plain)+pad)
	for i := copy(out, plain); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(block, []byte(iv)).CryptBlocks(out, out)
	return out
}

// Open reverses Seal, in new memory. It reports false for what Seal cannot have made, in a time that does not depend on
// what is wrong with the padding.
func Open(block cipher.Block, sealed []byte) (plain []byte, ok bool) {
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, false
	}
	out := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, []byte(iv)).CryptBlocks(out, sealed)
	n, ok := unpad(out)
	if !ok {
		return nil, false
	}
	return out[:n:n], true
}

// unpad returns the length of b, at least a block, without its padding. It takes the same time whichever byte of the
// padding is wrong.
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
