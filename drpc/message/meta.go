package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/gogf/gf/v2/container/gmap"
)

// emptyMeta is how a message without meta says so on the wire.
const emptyMeta = "{}"

// Meta returns the pairs as a map that is safe for concurrent use.
func (m *Msg) Meta() *gmap.Map {
	if m.meta == nil {
		m.meta = gmap.New(true)
		if m.in != nil {
			for key, value := range flatPairs(m.in.meta) {
				m.meta.Set(string(key), string(value))
			}
			m.in.meta = nil
		}
	}
	return m.meta
}

// setMeta sets one pair of a message that is made here. As long as all are plain they are kept as they go on the wire: a
// map would cost more than all the rest of a small call.
func (m *Msg) setMeta(key, value string) {
	if own := m.flatMeta(); own != nil && isPlain(key) && isPlain(value) {
		own.meta = setPair(own.meta, key, value)
		return
	}
	m.Meta().Set(key, value)
}

// flatMeta returns where meta is that may be changed as it is on the wire, nil where it is in the map or was received.
func (m *Msg) flatMeta() *received {
	if m.meta != nil || len(m.from().meta) > 0 && !m.in.ownMeta {
		return nil
	}
	own := m.into()
	own.ownMeta = true
	return own
}

// MetaLen returns the number of meta pairs without making the map; any number above 0 stands for "some" where they
// are still encoded.
func (m *Msg) MetaLen() int {
	switch {
	case m.meta != nil:
		return m.meta.Size()
	case len(m.from().meta) > len(emptyMeta):
		return 1
	}
	return 0
}

// PeekMeta returns the value under key without making the map, nil if there is none.
func (m *Msg) PeekMeta(key string) any {
	if m.meta != nil {
		return m.meta.Get(key)
	}
	var found any
	for k, v := range flatPairs(m.from().meta) {
		if string(k) == key {
			found = string(v) // the last one wins, as in encoding/json
		}
	}
	return found
}

// CopyMeta returns a copy of the pairs. Never nil.
func (m *Msg) CopyMeta() *gmap.Map {
	if m.MetaLen() == 0 {
		return gmap.New(true)
	}
	return m.Meta().Clone(true)
}

// AppendMeta appends the meta as its wire JSON: one object, keys sorted, as encoding/json writes it.
func (m *Msg) AppendMeta(dst []byte) ([]byte, error) {
	if m.meta == nil {
		if raw := m.from().meta; len(raw) > 0 {
			return append(dst, raw...), nil
		}
		return append(dst, emptyMeta...), nil
	}
	if m.meta.Size() == 0 {
		return append(dst, emptyMeta...), nil
	}
	pairs := make(map[string]any, m.meta.Size())
	m.meta.Iterator(func(k, v any) bool {
		if s, ok := k.(string); ok {
			pairs[s] = v
		} else {
			pairs[fmt.Sprint(k)] = v
		}
		return true
	})
	raw, err := json.Marshal(pairs)
	if err != nil {
		return dst, fmt.Errorf("meta: %w", err)
	}
	return append(dst, raw...), nil
}

// errNoMeta is what empty meta bytes give; "{}" is how peers say "none".
var errNoMeta = errors.New("meta: empty input")

// ParseMeta reads the meta from its wire JSON, any object or null. Bytes after the first JSON value are ignored, as
// DMicro 1.x peers do. Numbers become json.Number. raw must stay unchanged as long as the message is in use.
func (m *Msg) ParseMeta(raw []byte) error {
	m.meta = nil
	if m.in != nil {
		m.in.meta, m.in.ownMeta = nil, false
	}
	switch {
	case len(raw) == 0:
		return errNoMeta
	case string(raw) == emptyMeta:
		return nil
	case isFlat(raw):
		m.into().meta = raw
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var pairs map[string]any
	if err := dec.Decode(&pairs); err != nil {
		if errors.Is(err, io.EOF) {
			err = errNoMeta
		}
		return fmt.Errorf("meta: %w", err)
	}
	if len(pairs) > 0 {
		dst := gmap.New(true)
		for k, v := range pairs {
			dst.Set(k, v)
		}
		m.meta = dst
	}
	return nil
}

// DetachMeta makes the pairs independent of the received bytes, so that they outlive the buffer of the frame.
func (m *Msg) DetachMeta() {
	if len(m.from().meta) > 0 {
		m.Meta()
	}
}

// isFlat reports whether raw is one JSON object of strings without escapes: what nearly every peer sends, and what
// flatPairs can walk without a parser.
func isFlat(raw []byte) bool {
	if len(raw) < len(`{"":""}`) || raw[0] != '{' || raw[len(raw)-1] != '}' {
		return false
	}
	rest := raw[1:]
	for {
		var ok bool
		if rest, ok = skipPlain(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return false
		}
		if rest, ok = skipPlain(rest[1:]); !ok || len(rest) == 0 {
			return false
		}
		switch {
		case rest[0] == ',':
			rest = rest[1:]
		case rest[0] == '}' && len(rest) == 1:
			return utf8.Valid(raw)
		default:
			return false
		}
	}
}

// skipPlain skips a JSON string without escapes or control characters at the start of b.
func skipPlain(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[i+1:], true
		case c == '\\' || c < 0x20:
			return nil, false
		}
	}
	return nil, false
}

// isPlain reports whether encoding/json writes s as it is. Letters outside of ASCII are left to it.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20 || c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// setPair puts a pair of plain strings into a flat object with sorted keys, or in the place of the one with its key. No
// bytes are an object without pairs.
func setPair[T string | []byte](raw []byte, key string, value T) []byte {
	if len(raw) == 0 {
		raw = append(make([]byte, 0, 64), emptyMeta...)
	}
	pair := append(append(append(make([]byte, 0, 64), '"'), key...), `":"`...)
	pair = append(append(pair, value...), '"')
	end := len(raw) - 1 // of the pairs
	for at := 1; at < end; {
		other := raw[at+1 : at+1+bytes.IndexByte(raw[at+1:], '"')]
		behind := at + 1 + len(other) + len(`":"`)
		behind += bytes.IndexByte(raw[behind:], '"') + 1
		switch {
		case string(other) == key:
			return slices.Replace(raw, at, behind, pair...)
		case string(other) > key:
			return slices.Insert(raw, at, append(pair, ',')...)
		}
		at = behind + 1 // behind the comma, or the brace
	}
	if end > 1 {
		raw = append(raw[:end], ',', '}')
		end++
	}
	return slices.Insert(raw, end, pair...)
}

// flatPairs walks an object that isFlat accepted.
func flatPairs(raw []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		for len(raw) > 1 {
			key := raw[2 : 2+bytes.IndexByte(raw[2:], '"')]
			raw = raw[2+len(key)+2:] // the value's opening quote
			value := raw[1 : 1+bytes.IndexByte(raw[1:], '"')]
			raw = raw[1+len(value)+1:] // "," or "}"
			if !yield(key, value) {
				return
			}
		}
	}
}
