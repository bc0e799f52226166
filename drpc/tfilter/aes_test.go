package tfilter_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

// encrypt encrypts whole blocks without adding padding, as an attacker who
// tries paddings would like to.
func encrypt(tb testing.TB, blocks []byte) []byte {
	tb.Helper()
	block, err := aes.NewCipher([]byte(testKey))
	if err != nil {
		tb.Fatal(err)
	}
	out := make([]byte, len(blocks))
	cipher.NewCBCEncrypter(block, []byte("I Love Go Frame!")).CryptBlocks(out, blocks)
	return out
}

// padded returns n bytes of text followed by the padding given.
func padded(n int, padding ...byte) []byte {
	return append(bytes.Repeat([]byte("x"), n), padding...)
}

func TestAESRefusesEveryBadInputAlike(t *testing.T) {
	t.Parallel()
	f, err := tfilter.Get(tfilter.AesId)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]byte{
		"nothing":            {},
		"half a block":       make([]byte, 8),
		"a block and a bit":  make([]byte, 17),
		"padding 0":          encrypt(t, padded(15, 0)),
		"padding 17":         encrypt(t, append(padded(15), 17)),
		"padding 17, long":   encrypt(t, append(padded(15), bytes.Repeat([]byte{17}, 17)...)),
		"padding 255":        encrypt(t, padded(31, 255)),
		"first byte wrong":   encrypt(t, padded(12, 5, 4, 4, 4)),
		"middle byte wrong":  encrypt(t, padded(12, 4, 4, 3, 4)),
		"full block, first":  encrypt(t, append(padded(16, 15), bytes.Repeat([]byte{16}, 15)...)),
		"last byte too high": encrypt(t, padded(14, 2, 3)),
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The very same value: no text, type or wrapping tells more.
			if b, err := f.OnUnpack(in); b != nil || err != tfilter.ErrDecrypt {
				t.Errorf("OnUnpack = %q, %v", b, err)
			}
		})
	}
}

func TestAESAcceptsEveryLengthOfPadding(t *testing.T) {
	t.Parallel()
	for n := range 33 {
		pad := 16 - n%16
		in := encrypt(t, append(padded(n), bytes.Repeat([]byte{byte(pad)}, pad)...))
		got, err := pipe(t, "a").OnUnpack(in)
		if err != nil || !bytes.Equal(got, padded(n)) {
			t.Errorf("%d bytes come back as %q, %v", n, got, err)
		}
		if packed := mustPack(t, "a", padded(n)); !bytes.Equal(packed, in) {
			t.Errorf("%d bytes pack to %x, want %x", n, packed, in)
		}
	}
}
