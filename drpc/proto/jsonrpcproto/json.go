package jsonrpcproto

import (
	"bytes"
	"encoding/json"

	"github.com/osgochina/dmicro/drpc/codec"
)

// The functions here walk JSON that was found valid, without making anything of it.

// skipBlanks returns b without the white space before it.
func skipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// stringLen is the length of the string that b begins with, quotes included.
func stringLen(b []byte) int {
	for i := 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		// A quote behind an odd number of backslashes is one of the text.
		slashes := 0
		for b[i+n-1-slashes] == '\\' {
			slashes++
		}
		i += n + 1
		if slashes%2 == 0 {
			return i
		}
	}
}

// valueLen is the length of the value that b begins with.
func valueLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			i += stringLen(b[i:])
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i += scalarLen(b[i:])
		}
		if depth <= 0 {
			return i
		}
	}
	return len(b)
}

// scalarLen is the length of the number or word that b begins with.
func scalarLen(b []byte) int {
	for i, c := range b {
		switch c {
		case ',', ':', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return len(b)
}

// members walks the members of an object.
type members struct{ rest []byte }

// object returns the members of an object.
func object(b []byte) members { return members{b[1:]} }

// next returns the next member, its key without quotes and its value as it stands.
func (ms *members) next() (key, value []byte, ok bool) {
	b := skipBlanks(ms.rest)
	if b[0] == ',' {
		b = skipBlanks(b[1:])
	}
	if b[0] == '}' {
		return nil, nil, false
	}
	n := stringLen(b)
	key = b[1 : n-1]
	b = skipBlanks(skipBlanks(b[n:])[1:]) // the colon
	n = valueLen(b)
	ms.rest = b[n:]
	return key, b[:n:n], true
}

// text returns the content of a string, decoded.
func text(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, false
	}
	return []byte(s), true
}

// isNull reports whether a member is not there, or null.
func isNull(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			out, err := codec.JSONCodec{}.AppendMarshal(dst, s)
			if err == nil { // a string always encodes
				return out
			}
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
