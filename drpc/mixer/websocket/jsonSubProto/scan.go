package jsonSubProto

import (
	"bytes"
	"math"
	"strconv"
)

// scanner reads from the front of rest. Once something was asked for that is not there, bad stays true and rest empty, so
// that one check at the end covers all.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) fail() { s.rest, s.bad = nil, true }

// word skips w.
func (s *scanner) word(w string) {
	if len(s.rest) < len(w) || string(s.rest[:len(w)]) != w {
		s.fail()
		return
	}
	s.rest = s.rest[len(w):]
}

// number reads an integer of at most ten digits as JSON writes it.
func (s *scanner) number(low, high int64) int64 {
	i := 0
	if len(s.rest) > 0 && s.rest[0] == '-' {
		i = 1
	}
	digits := i
	for i < len(s.rest) && i <= 10 && '0' <= s.rest[i] && s.rest[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(string(s.rest[:i]), 10, 64)
	if err != nil || i-digits > 1 && s.rest[digits] == '0' || n < low || n > high {
		s.fail()
		return 0
	}
	s.rest = s.rest[i:]
	return n
}

// text reads a JSON string without escapes other than those of one character, and returns its content as it stands. It
// expects UTF-8.
func (s *scanner) text() []byte {
	s.word(`"`)
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			content := s.rest[:i:i]
			s.rest = s.rest[i+1:]
			return content
		case c == '\\':
			if i++; i == len(s.rest) || letters[s.rest[i]] == 0 {
				s.fail()
				return nil
			}
		case c < ' ':
			s.fail()
			return nil
		}
	}
	s.fail()
	return nil
}

// ids reads an array of bytes.
func (s *scanner) ids() (ids []byte) {
	s.word(`[`)
	for !s.bad && len(s.rest) > 0 && s.rest[0] != ']' {
		if len(ids) > 0 {
			s.word(`,`)
		}
		ids = append(ids, byte(s.number(0, math.MaxUint8)))
	}
	s.word(`]`)
	return ids
}

// letters has the character that each short escape stands for.
var letters = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape decodes the content of a string that text has read, where it lies.
func unescape(content []byte) []byte {
	at := bytes.IndexByte(content, '\\')
	if at < 0 {
		return content
	}
	out := content[:at]
	for i := at; i < len(content); i++ {
		c := content[i]
		if c == '\\' {
			i++
			c = letters[content[i]]
		}
		out = append(out, c)
	}
	return out
}

// escapesMore reports whether the content of a JSON string has other escapes than \".
func escapesMore(content []byte) bool {
	for {
		i := bytes.IndexByte(content, '\\')
		if i < 0 || i+1 == len(content) {
			return false
		}
		if content[i+1] != '"' {
			return true
		}
		content = content[i+2:]
	}
}
