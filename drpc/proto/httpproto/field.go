package httpproto

import (
	"bytes"
	"strings"
)

// field is one header, its parts as they lie in the frame.
type field struct {
	name, value []byte
}

// splitField takes a header line apart. Nothing is tolerated that two programs might read differently: no folded
// lines, no blank before the colon, no control characters.
func splitField(line []byte) (f field, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return f, false
	}
	f = field{name: line[:i], value: trimBlanks(line[i+1:])}
	return f, validName(f.name) && validValue(f.value)
}

func trimBlanks[T string | []byte](b T) T {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// tokenChars are the characters of header names and methods.
var tokenChars = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

func validName[T string | []byte](name T) bool {
	for i := range len(name) {
		if !tokenChars[name[i]] {
			return false
		}
	}
	return len(name) > 0
}

func validValue[T string | []byte](value T) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// same compares header names or tokens, in which the case of letters does not count.
func same[T string | []byte](a T, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// hasToken reports whether a list of tokens separated by commas has word.
func hasToken(list []byte, word string) bool {
	for len(list) > 0 {
		item, rest, _ := bytes.Cut(list, []byte(","))
		if same(trimBlanks(item), word) {
			return true
		}
		list = rest
	}
	return false
}

// accepts reports whether a list as in Accept-Encoding has word, and not with a weight of zero.
func accepts(list []byte, word string) bool {
	for len(list) > 0 {
		item, rest, _ := bytes.Cut(list, []byte(","))
		coding, weight, weighted := bytes.Cut(item, []byte(";"))
		if same(trimBlanks(coding), word) {
			weight = bytes.ToLower(trimBlanks(weight))
			return !weighted || len(bytes.Trim(bytes.TrimPrefix(weight, []byte("q=")), "0.")) > 0
		}
		list = rest
	}
	return false
}

// canonical is the form in which a header name is sent: a capital at the beginning and after each hyphen, all other
// letters small.
func canonical(name string) string {
	upper := true
	for i := range len(name) {
		if c := name[i]; upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			return canonicalCopy(name)
		}
		upper = name[i] == '-'
	}
	return name
}

func canonicalCopy(name string) string {
	out := []byte(strings.ToLower(name))
	upper := true
	for i, c := range out {
		if upper && 'a' <= c && c <= 'z' {
			out[i] = c - ('a' - 'A')
		}
		upper = c == '-'
	}
	return string(out)
}

// digits parses a number without sign, of at most 18 digits.
func digits(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
