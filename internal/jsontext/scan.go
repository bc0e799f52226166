package jsontext

import "strconv"

// Scanner reads from the front of Rest. Once something was asked for that is not there, Bad stays true and Rest empty,
// so that one check at the end covers all.
type Scanner struct {
	Rest []byte
	Bad  bool
}

// Fail says that what is read is not what was expected.
func (s *Scanner) Fail() { s.Rest, s.Bad = nil, true }

// Done reports whether everything was there and nothing is left.
func (s *Scanner) Done() bool { return !s.Bad && len(s.Rest) == 0 }

// Word skips w.
func (s *Scanner) Word(w string) {
	if len(s.Rest) < len(w) || string(s.Rest[:len(w)]) != w {
		s.Fail()
		return
	}
	s.Rest = s.Rest[len(w):]
}

// Number reads an integer as JSON writes it, from low to high, both of at most ten digits.
func (s *Scanner) Number(low, high int64) int64 {
	b := s.Rest
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
		s.Fail()
		return 0
	}
	s.Rest = b[i:]
	return n
}

// Text reads a JSON string and returns its content, still escaped. It expects UTF-8.
func (s *Scanner) Text() []byte {
	s.Word(`"`)
	b := s.Rest
	for i := plainLen(b); i < len(b); i += plainLen(b[i:]) {
		if b[i] == '"' {
			s.Rest = b[i+1:]
			return b[:i:i]
		}
		n := escapeLen(b[i:])
		if n == 0 {
			break
		}
		i += n
	}
	s.Fail()
	return nil
}

// GoText reads a string quoted as in Go source and returns it decoded.
func (s *Scanner) GoText() []byte {
	s.Word(`"`)
	b := s.Rest
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			text, err := strconv.Unquote(`"` + string(b[:i+1]))
			if err != nil {
				s.Fail()
				return nil
			}
			s.Rest = b[i+1:]
			return []byte(text)
		}
	}
	s.Fail()
	return nil
}
