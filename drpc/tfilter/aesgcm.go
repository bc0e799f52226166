package tfilter

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Id and name of the aes-gcm filter, see [RegAESGCM].
const (
	AesGcmId   = 'g'
	AesGcmName = "aes-gcm"
)

// aesGCMInfo separates the key of the aes-gcm filter from every other use of the same secret.
const aesGCMInfo = "dmicro aes-gcm filter"

// RegAESGCM registers the aes-gcm filter with a key of 16, 24 or 32 bytes
// (AES-128, -192, -256), once in a process. It panics on any other length, and
// the second time. The key may be wiped afterwards; no error and no panic shows
// it.
//
// The packed form is a random nonce of 12 bytes, the data encrypted with AES in
// GCM mode, and its tag of 16 bytes; there is no additional data. The key of
// the cipher is the HKDF-SHA256 of the key given, without salt, with the info
// "dmicro aes-gcm filter" and of the same length, so that a key that the aes
// filter has too gives nothing away there.
//
// It hides the data and notices every change. Whatever was not packed with this
// key, or is not whole and as it was, is [ErrDecrypt]. It does not notice a
// whole payload that somebody repeats, holds back or sends elsewhere: that
// takes TLS. Random nonces allow some 2^32 payloads, all sessions together;
// take a new key before. DMicro 1.x peers do not know this filter.
func RegAESGCM(key []byte) {
	aead, err := newAESGCM(key)
	if err != nil {
		panic(fmt.Sprintf("tfilter: RegAESGCM: the key has %d bytes, want 16, 24 or 32", len(key)))
	}
	Reg(&aesGCMFilter{func() cipher.AEAD { return aead }})
}

func newAESGCM(key []byte) (cipher.AEAD, error) {
	if _, err := aes.NewCipher(key); err != nil { // the length counts before derivation
		return nil, err
	}
	own, err := hkdf.Key(sha256.New, key, nil, aesGCMInfo, len(key))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// aesGCMFilter holds its key behind a function for the reason that aesFilter does.
type aesGCMFilter struct{ aead func() cipher.AEAD }

func (*aesGCMFilter) ID() byte     { return AesGcmId }
func (*aesGCMFilter) Name() string { return AesGcmName }

func (f *aesGCMFilter) OnPack(src []byte) ([]byte, error) {
	aead := f.aead()
	return aead.Seal(make([]byte, 0, len(src)+aead.Overhead()), nil, src, nil), nil
}

func (f *aesGCMFilter) OnUnpack(src []byte) ([]byte, error) {
	aead := f.aead()
	// At least one byte, so that an empty result is not nil.
	out, err := aead.Open(make([]byte, 0, max(len(src)-aead.Overhead(), 1)), nil, src, nil)
	if err != nil {
		return nil, ErrDecrypt // every cause alike, as for aes
	}
	return out, nil
}
