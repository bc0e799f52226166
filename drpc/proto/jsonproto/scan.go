package jsonproto

import (
	"bytes"
	"math"
	"strconv"
)

const (
	minInt32 = math.MinInt32
	maxInt32 = math.MaxInt32
)

// scan takes apart the one form that this package writes. It refuses everything else, and only then has not changed
// the payload. It expects UTF-8.
func (o *object) scan(payload []byte) bool {
	s := scanner{rest: payload}
	o.head(&s)
	s.word(`,"serviceMethod":`)
	o.method = s.text()
	s.word(`,"status":`)
	o.status = s.text()
	s.word(`,"meta":`)
	o.meta = s.text()
	o.tail(&s)
	o.body, o.escaped = s.text(), true
	if s.word(`}`); !s.done() {
		return false
	}
	o.method = unescape(o.method[:0], o.method)
	o.status = unescape(o.status[:0], o.status)
	o.meta = unescape(o.meta[:0], o.meta)
	return true
}

// scanOld takes apart what an older peer writes: strings of the header quoted as Go source is, and a body in which
// nothing is escaped but quotes. As the body is the last member, it ends where the payload does.
func (o *object) scanOld(payload []byte) bool {
	s := scanner{rest: payload}
	o.head(&s)
	s.word(`,"serviceMethod":`)
	o.method = s.goText()
	s.word(`,"status":`)
	o.status = s.goText()
	s.word(`,"meta":`)
	o.meta = s.goText()
	o.tail(&s)
	s.word(`"`)
	body, ends := bytes.CutSuffix(s.rest, []byte(`"}`))
	if s.bad || !ends {
		return false
	}
	o.body, o.escaped = unescapeQuotes(body), false
	return true
}

// head reads what comes before the strings of the header, tail what comes between them and the body.
func (o *object) head(s *scanner) {
	s.word(`{"seq":`)
	o.seq = int32(s.number(minInt32, maxInt32))
	s.word(`,"mtype":`)
	o.mtype = byte(s.number(0, math.MaxUint8))
}

func (o *object) tail(s *scanner) {
	s.word(`,"bodyCodec":`)
	o.codec = byte(s.number(0, math.MaxUint8))
	s.word(`,"body":`)
}

// scanner reads from the front of rest. Once something was asked for that is not there, bad stays true and rest empty,
// so that one check at the end covers all.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) fail() { s.rest, s.bad = nil, true }

// done reports whether everything was there and nothing is left.
func (s *scanner) done() bool { return !s.bad && len(s.rest) == 0 }

// word skips w.
func (s *scanner) word(w string) {
	if len(s.rest) < len(w) || string(s.rest[:len(w)]) != w {
		s.fail()
		return
	}
	s.rest = s.rest[len(w):]
}

// number reads an integer as JSON writes it, from low to high, both of at most ten digits.
func (s *scanner) number(low, high int64) int64 {
	b := s.rest
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	var n int64
	i := 0
	for ; i < len(b) && i <= 10 && '0' <= b[i] && b[i] <= '9'; i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if neg {
		n = -n
	}
	if i == 0 || i > 1 && b[0] == '0' || n < low || n > high {
		s.fail()
		return 0
	}
	s.rest = b[i:]
	return n
}

// text reads a JSON string and returns its content, still escaped.
func (s *scanner) text() []byte {
	s.word(`"`)
	b := s.rest
	for i := plainLen(b); i < len(b); i += plainLen(b[i:]) {
		if b[i] == '"' {
			s.rest = b[i+1:]
			return b[:i:i]
		}
		n := escapeLen(b[i:])
		if n == 0 {
			break
		}
		i += n
	}
	s.fail()
	return nil
}

// goText reads a string quoted as in Go source and returns it decoded.
func (s *scanner) goText() []byte {
	s.word(`"`)
	b := s.rest
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			text, err := strconv.Unquote(`"` + string(b[:i+1]))
			if err != nil {
				s.fail()
				return nil
			}
			s.rest = b[i+1:]
			return []byte(text)
		}
	}
	s.fail()
	return nil
}
