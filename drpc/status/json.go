package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// OKJSON is the JSON text of success. Nearly every frame carries it, so it is
// copied when written and compared when read, never built or parsed.
const OKJSON = `{"code":0,"msg":"","cause":""}`

// errNilReceiver is what decoding into nothing gives.
var errNilReceiver = errors.New("status: UnmarshalJSON on a nil *Status")

// wireStatus is the JSON form as encoding/json reads it, which makes decoding
// lenient the way old peers are: keys match in any case, a missing key is the
// zero value, an unknown key is ignored.
type wireStatus struct {
	Code  int32  `json:"code"`
	Msg   string `json:"msg"`
	Cause string `json:"cause"`
}

// AppendJSON appends the wire form of s to dst and returns the longer slice. It
// allocates only if dst is too small.
//
// The form is a JSON object with exactly three keys in this order and no
// spaces: {"code":<int32>,"msg":<string>,"cause":<string>}. Success, nil
// included, is always [OKJSON], whatever message or cause it has. The cause is
// sent as its text, "" if there is none; the stack is never sent.
//
// For text, strings have the same bytes as from DMicro 1.x peers, which quote
// as Go source does: HTML is not escaped, printable characters stay UTF-8, all
// others are written \uXXXX. Where Go quoting is not JSON (control characters,
// planes above the first) this writes JSON escapes, and each byte that is not
// UTF-8 becomes U+FFFD.
func (s *Status) AppendJSON(dst []byte) []byte {
	if s.OK() {
		return append(dst, OKJSON...)
	}
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(s.code), 10)
	dst = append(dst, `,"msg":`...)
	dst = appendQuoted(dst, s.msg)
	dst = append(dst, `,"cause":`...)
	dst = appendQuoted(dst, errorText(s.cause))
	return append(dst, '}')
}

// Parse decodes the wire form. Success in any spelling, the word null and zero
// bytes all give a nil status, so that the result can be handed on as it is.
//
// Keys match in any case, missing keys default to zero, unknown keys are
// ignored. What is no JSON because a DMicro 1.x peer quoted its strings as Go
// source does is read as that peer means it, byte by byte, so that a text need
// not be UTF-8. Anything else that is not one JSON object with an int32 code
// and string msg and cause is an error that wraps the one of encoding/json.
// The result does not refer to b.
func Parse(b []byte) (*Status, error) {
	if len(b) == 0 || string(b) == OKJSON {
		return nil, nil
	}
	w, err := decode(b)
	if err != nil || w.Code == OK {
		return nil, err
	}
	return w.status(), nil
}

// MarshalJSON implements [json.Marshaler] with [Status.AppendJSON]; nil is null.
func (s *Status) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	return s.AppendJSON(nil), nil
}

// UnmarshalJSON implements [json.Unmarshaler], as lenient as [Parse]. It
// replaces all of s; null and zero bytes make it a plain success. An error
// leaves s as it was.
func (s *Status) UnmarshalJSON(b []byte) error {
	if s == nil {
		return errNilReceiver
	}
	if len(b) == 0 || string(b) == OKJSON {
		s.Clear()
		return nil
	}
	w, err := decode(b)
	if err != nil {
		return err
	}
	*s = *w.status()
	return nil
}

func decode(b []byte) (w wireStatus, err error) {
	if err = json.Unmarshal(b, &w); err == nil {
		return w, nil
	}
	if older, ok := parseOlder(b); ok {
		return older, nil
	}
	return w, fmt.Errorf("status: decode: %w", err)
}

func (w wireStatus) status() *Status {
	s := &Status{code: w.Code, msg: w.Msg}
	if w.Cause != "" {
		s.cause = errors.New(w.Cause)
	}
	return s
}

// appendQuoted appends text as a JSON string, by runs of bytes that need no care.
func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			dst = append(dst, text[start:i]...)
			dst = appendEscapedASCII(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		invalid := r == utf8.RuneError && size == 1
		if invalid || !strconv.IsPrint(r) {
			dst = append(dst, text[start:i]...)
			dst = appendEscapedRune(dst, r, invalid)
			start = i + size
		}
		i += size
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// appendEscapedASCII writes the short escape where JSON has one.
func appendEscapedASCII(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	default:
		return appendHex4(dst, rune(c))
	}
}

// appendEscapedRune writes a character that must not stand as it is: U+FFFD for
// what is not UTF-8, else one \uXXXX or a surrogate pair of them.
func appendEscapedRune(dst []byte, r rune, invalid bool) []byte {
	switch {
	case invalid:
		return utf8.AppendRune(dst, utf8.RuneError)
	case r <= 0xffff:
		return appendHex4(dst, r)
	default:
		r -= 0x10000
		dst = appendHex4(dst, 0xd800+r>>10)
		return appendHex4(dst, 0xdc00+r&0x3ff)
	}
}

func appendHex4(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
