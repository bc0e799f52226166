package oldaes

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

func newBlock(tb testing.TB) cipher.Block {
	tb.Helper()
	block, err := aes.NewCipher([]byte("0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return block
}

func TestEveryLengthComesBackAndIsNotTouched(t *testing.T) {
	t.Parallel()
	block := newBlock(t)
	for n := range 3*aes.BlockSize + 1 {
		plain := bytes.Repeat([]byte("x"), n)
		sealed := Seal(block, plain)
		if len(sealed) <= n || len(sealed)%aes.BlockSize != 0 || !bytes.Equal(plain, bytes.Repeat([]byte("x"), n)) {
			t.Errorf("%d bytes become %d, and are %q", n, len(sealed), plain)
		}
		copied := bytes.Clone(sealed)
		if got, ok := Open(block, sealed); !ok || !bytes.Equal(got, plain) || !bytes.Equal(sealed, copied) {
			t.Errorf("%d bytes come back as %q, %v", n, got, ok)
		}
	}
}

func TestWhatHasNoPaddingIsRefused(t *testing.T) {
	t.Parallel()
	block := newBlock(t)
	for name, plain := range map[string][]byte{
		"padding 0":        append(bytes.Repeat([]byte("x"), 15), 0),
		"padding 17":       append(bytes.Repeat([]byte("x"), 15), 17),
		"first byte wrong": append(bytes.Repeat([]byte("x"), 12), 5, 4, 4, 4),
		"last too high":    append(bytes.Repeat([]byte("x"), 14), 2, 3),
	} {
		sealed := make([]byte, len(plain))
		cipher.NewCBCEncrypter(block, []byte(iv)).CryptBlocks(sealed, plain)
		if got, ok := Open(block, sealed); ok || got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, n := range []int{0, 1, aes.BlockSize - 1, aes.BlockSize + 1} {
		if got, ok := Open(block, make([]byte, n)); ok || got != nil {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	block := newBlock(f)
	f.Add([]byte{})
	f.Add(Seal(block, []byte("hello")))
	f.Add(make([]byte, aes.BlockSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, ok := Open(block, b); ok && !bytes.Equal(Seal(block, plain), b) {
			t.Errorf("%x opens to %x, which seals to something else", b, plain)
		}
	})
}
