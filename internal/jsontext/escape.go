// Package jsontext reads and writes the strings of JSON (RFC 8259, section 7) where they lie, for protocols whose frames are
// objects of one known form. Everything else about JSON is the business of encoding/json.
//
// Its functions may be used concurrently.
package jsontext

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape turns b[at:] into the content of a JSON string, where it lies. It reports false, and has changed nothing, where
// that is not UTF-8.
func Escape(b []byte, at int) (_ []byte, isText bool) {
	text := b[at:]
	if !utf8.Valid(text) {
		return b, false
	}
	more := 0
	for i := plainLen(text); i < len(text); i += 1 + plainLen(text[i+1:]) {
		more += int(growth[text[i]])
	}
	if more == 0 {
		return b, true
	}
	b = slices.Grow(b, more)[:len(b)+more]
	// From the end to the front, so that nothing is overwritten before it was moved. Once reading and writing meet,
	// the rest stands where it belongs.
	read, write := len(b)-more, len(b)
	for read < write {
		read--
		c := b[read]
		switch growth[c] {
		case 0:
			write--
			b[write] = c
		case 1:
			write -= 2
			b[write], b[write+1] = '\\', short[c]
		default:
			write -= 6
			copy(b[write:], `\u00`)
			b[write+4], b[write+5] = hexDigits[c>>4], hexDigits[c&0xf]
		}
	}
	return b, true
}

const hexDigits = "0123456789abcdef"

// short has the letter of each character with an escape of two bytes, and growth how many bytes escaping adds.
var short, growth = func() (short, growth [256]byte) {
	for c := range byte(' ') {
		growth[c] = uint8(len(`\u0000`) - 1)
	}
	for c, letter := range map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'} {
		short[c], growth[c] = letter, 1
	}
	return short, growth
}()

// shortLen and longLen are the lengths of \n and \u000a.
const (
	shortLen = 2
	longLen  = 6
)

// plainLen returns how many bytes at the start of b stand in a JSON string as they are: all before a quote, a backslash
// or a control character. It looks at eight at a time.
func plainLen(b []byte) int {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	// zero has the high bit of the lowest byte of x that is 0; higher ones may be wrong, which costs a second look.
	zero := func(x uint64) uint64 { return (x - ones) &^ x & high }
	const short = 16 // most runs in JSON are
	i := 0
	for i < len(b) && i < short && growth[b[i]] == 0 {
		i++
	}
	if i < short {
		return i
	}
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		control := (x - ones*' ') &^ x & high
		if control|zero(x^ones*'"')|zero(x^ones*'\\') != 0 {
			break
		}
	}
	for i < len(b) && growth[b[i]] == 0 {
		i++
	}
	return i
}

// escapeLen returns the length of the escape that b begins with, 0 if it is none of JSON.
func escapeLen(b []byte) int {
	switch {
	case len(b) < shortLen || b[0] != '\\':
		return 0
	case b[1] == 'u':
		if unit(b) < 0 {
			return 0
		}
		return longLen
	case letters[b[1]] == 0:
		return 0
	}
	return shortLen
}

// letters has the character that each short escape stands for.
var letters = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// unit returns the UTF-16 code unit of the \uXXXX that b begins with, -1 if it does not.
func unit(b []byte) rune {
	if len(b) < longLen || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:longLen] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// Unescape appends the content of a valid JSON string to dst, decoded as encoding/json does. dst may be text[:0]: what
// is written is never longer than what was read.
func Unescape(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		text = text[i:]
		if text[1] != 'u' {
			dst = append(dst, letters[text[1]])
			text = text[shortLen:]
			continue
		}
		r := unit(text)
		text = text[longLen:]
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, unit(text)); r != utf8.RuneError {
				text = text[longLen:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
}

// EscapesMore reports whether the content of a valid JSON string has other escapes than \".
func EscapesMore(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if text[i+1] != '"' {
			return true
		}
		text = text[i+shortLen:]
	}
}

// UnescapeQuotes returns text without the backslash before each quote: the exact inverse of how older peers escape.
func UnescapeQuotes(text []byte) []byte { return bytes.ReplaceAll(text, []byte(`\"`), []byte(`"`)) }
