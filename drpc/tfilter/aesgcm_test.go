package tfilter_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

// gcm is the cipher as the documentation describes it, with the nonce apart.
func gcm(t *testing.T) cipher.AEAD {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(testKey), nil, "dmicro aes-gcm filter", len(testKey))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

func TestAESGCMFormIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	aead := gcm(t)
	for _, data := range []string{"", "x", "sixteen bytes!!!", "some more than sixteen bytes"} {
		packed := mustPack(t, "g", []byte(data))
		if len(packed) != 12+len(data)+16 {
			t.Errorf("%d bytes pack to %d", len(data), len(packed))
		}
		if got, err := aead.Open(nil, packed[:12], packed[12:], nil); err != nil || string(got) != data {
			t.Errorf("others read %q, %v, want %q", got, err, data)
		}
		nonce := bytes.Repeat([]byte{7}, 12)
		theirs := aead.Seal(slices.Clone(nonce), nonce, []byte(data), nil)
		if got, err := pipe(t, "g").OnUnpack(theirs); err != nil || string(got) != data {
			t.Errorf("of others we read %q, %v, want %q", got, err, data)
		}
	}
}

func TestAESGCMNeverPacksAlike(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 1000 {
		packed := string(mustPack(t, "g", []byte("the same data each time")))
		if seen[packed[:12]] || seen[packed[12:]] {
			t.Fatal("a nonce or a ciphertext came twice")
		}
		seen[packed[:12]], seen[packed[12:]] = true, true
	}
}

func TestAESGCMRefusesEveryBadInputAlike(t *testing.T) {
	t.Parallel()
	f, err := tfilter.Get(tfilter.AesGcmId)
	if err != nil {
		t.Fatal(err)
	}
	one, two := mustPack(t, "g", bytes.Repeat([]byte("0123456789abcdef"), 4)), mustPack(t, "g", bytes.Repeat([]byte("x"), 64))
	bad := map[string][]byte{
		"nothing":                      nil,
		"nonce alone":                  one[:12],
		"tag cut":                      one[:len(one)-1],
		"first byte cut":               one[1:],
		"a byte more":                  append(slices.Clone(one), 0),
		"blocks swapped":               slices.Concat(one[:12], one[28:44], one[12:28], one[44:]),
		"block left out":               slices.Concat(one[:12], one[28:]),
		"nonce of another":             slices.Concat(two[:12], one[12:]),
		"tag of another":               slices.Concat(one[:len(one)-16], two[len(two)-16:]),
		"block of another":             slices.Concat(one[:12], two[12:28], one[28:]),
		"packed by aes":                mustPack(t, "a", []byte("data")),
		"zeros":                        make([]byte, 64),
		"packed with the key as it is": raw(t),
	}
	for i := range one {
		flipped := slices.Clone(one)
		flipped[i] ^= 0x80
		bad[fmt.Sprint("bit flipped in byte ", i)] = flipped
	}
	for name, in := range bad {
		// The very same value: no text, type or wrapping tells more.
		if b, err := f.OnUnpack(in); b != nil || err != tfilter.ErrDecrypt {
			t.Errorf("%s: OnUnpack = %q, %v", name, b, err)
		}
	}
}

// raw is data encrypted under the key that the aes filter uses.
func raw(t *testing.T) []byte {
	t.Helper()
	block, err := aes.NewCipher([]byte(testKey))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nil, []byte("data"), nil)
}
