package securebody

import (
	"bytes"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

var fuzzCodecs = []byte{codec.JsonId, codec.ProtobufId, codec.FormId, codec.XmlId, codec.PlainId}

func FuzzEnvelope(f *testing.F) {
	for _, id := range fuzzCodecs {
		raw, err := encodeEnvelope(id, gcmVersion+"k", []byte("sealed"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(id, raw)
	}
	f.Add(byte(codec.ProtobufId), []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, id byte, raw []byte) {
		version, sealed, err := decodeEnvelope(id, raw)
		if err != nil {
			return
		}
		again, err := encodeEnvelope(id, version, sealed)
		if err != nil {
			return // a version that the codec cannot carry is none of ours
		}
		if v, s, err := decodeEnvelope(id, again); err != nil || v == version && !bytes.Equal(s, sealed) {
			t.Errorf("%q, %q, %v after %q, %q", v, s, err, version, sealed)
		}
	})
}

func FuzzOpen(f *testing.F) {
	c, err := newGCM(Key{ID: "k", Secret: []byte("0123456789abcdef")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("plain"), []byte("bound"), []byte("bounc"), uint(3), []byte("any bytes"))
	f.Add([]byte{}, []byte{}, []byte{0}, uint(0), make([]byte, nonceSize))
	f.Fuzz(func(t *testing.T, plain, bound, other []byte, at uint, anything []byte) {
		sealed := c.seal(plain, bound)
		if got, err := c.open(sealed, bound); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%q opens to %q, %v", plain, got, err)
		}
		if _, err := c.open(sealed, other); err == nil && !bytes.Equal(bound, other) {
			t.Errorf("what is bound to %q opens for %q", bound, other)
		}
		if _, err := c.open(anything, bound); err == nil && !bytes.Equal(anything, sealed) {
			t.Errorf("%x opens", anything)
		}
		sealed[at%uint(len(sealed))] ^= 1
		if _, err := c.open(sealed, bound); err == nil {
			t.Errorf("opens with byte %d changed", at%uint(len(sealed)))
		}
	})
}

func TestNoBindingPassesForAnother(t *testing.T) {
	t.Parallel()
	seen := make(map[string]binding)
	for _, b := range []binding{
		{}, {kind: "a"}, {method: "a"}, {wish: "a"}, {answer: []byte("a")}, {kind: "a", method: "b"}, {kind: "ab"},
		{kind: "a", wish: "b"}, {method: "a", wish: "b"}, {method: "ab"}, {wish: "ab"},
	} {
		for _, id := range []byte{0, 'a', 'j'} {
			text := string(b.bytes(id))
			if other, ok := seen[text]; ok {
				t.Errorf("%+v and %+v are the same", b, other)
			}
			seen[text] = b
		}
	}
}
