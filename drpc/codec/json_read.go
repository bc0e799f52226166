package codec

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxPlainDepth is how deep an any may nest on the short way. encoding/json
	// has the limit that counts.
	maxPlainDepth = 64

	// maxPlainDigits is how many digits surely fit an int64.
	maxPlainDigits = 18

	// maxPlainExact is how many digits a float64 surely holds exactly.
	maxPlainExact = 15

	// maxPlainRoom is the most elements for which room is made before they have
	// been seen: commas alone are no reason to spend memory.
	maxPlainRoom = 512
)

// readPlainJSON decodes data if the type of v is plain, if v holds nothing that
// decoding would merge with, and if data is valid and fits. With false v is as it
// was and encoding/json must do it, so that whatever is unusual has one
// implementation.
func readPlainJSON(data []byte, v any) bool {
	switch p := v.(type) {
	case *string:
		return readOne(data, p, (*jsonReader).text)
	case *bool:
		return readOne(data, p, (*jsonReader).boolean)
	case *int:
		return readOne(data, p, readInt[int])
	case *int32:
		return readOne(data, p, readInt[int32])
	case *int64:
		return readOne(data, p, readInt[int64])
	case *float64:
		return readOne(data, p, (*jsonReader).number)
	case *[]int:
		return readFresh(data, p, readInt[int])
	case *[]int32:
		return readFresh(data, p, readInt[int32])
	case *[]int64:
		return readFresh(data, p, readInt[int64])
	case *[]float64:
		return readFresh(data, p, (*jsonReader).number)
	case *[]string:
		return readFresh(data, p, (*jsonReader).text)
	case *map[string]string:
		return p != nil && *p == nil && readOne(data, p, func(r *jsonReader) (map[string]string, bool) {
			return readObject(r, (*jsonReader).text)
		})
	case *map[string]any:
		return p != nil && *p == nil && readOne(data, p, func(r *jsonReader) (map[string]any, bool) {
			return readObject(r, (*jsonReader).value)
		})
	case *any:
		return p != nil && *p == nil && readOne(data, p, (*jsonReader).value)
	}
	return readPlanned(data, v)
}

// readOne sets p if data is one value that read takes, and nothing else.
func readOne[T any](data []byte, p *T, read func(*jsonReader) (T, bool)) bool {
	if p == nil {
		return false
	}
	r := jsonReader{data: data}
	r.space()
	v, ok := read(&r)
	if r.space(); !ok || r.at != len(data) {
		return false
	}
	*p = v
	return true
}

// readFresh is readOne for a slice without an array that could be reused.
func readFresh[T any](data []byte, p *[]T, read func(*jsonReader) (T, bool)) bool {
	return p != nil && cap(*p) == 0 && readOne(data, p, func(r *jsonReader) ([]T, bool) { return readList(r, read) })
}

// jsonReader reads values one behind the other. Its methods report false for
// whatever is not plain; where it then stands is of no account.
type jsonReader struct {
	data  []byte
	at    int
	depth int
}

// peek returns the next byte, 0 at the end: no value starts with it.
func (r *jsonReader) peek() byte {
	if r.at < len(r.data) {
		return r.data[r.at]
	}
	return 0
}

// take steps over c.
func (r *jsonReader) take(c byte) bool {
	if r.peek() != c || r.at == len(r.data) {
		return false
	}
	r.at++
	return true
}

func (r *jsonReader) space() {
	for {
		switch r.peek() {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

// word steps over w.
func (r *jsonReader) word(w string) bool {
	if !bytes.HasPrefix(r.data[r.at:], []byte(w)) {
		return false
	}
	r.at += len(w)
	return true
}

func (r *jsonReader) boolean() (v, ok bool) {
	if r.word("true") {
		return true, true
	}
	return false, r.word("false")
}

// text reads a string.
func (r *jsonReader) text() (string, bool) {
	s, ok := r.chars()
	return string(s), ok
}

// chars is text without a copy: the result is a part of data, unless there are
// escapes.
func (r *jsonReader) chars() ([]byte, bool) {
	if !r.take('"') {
		return nil, false
	}
	ascii := true
	for i, c := range r.data[r.at:] {
		switch {
		case c == '"':
			s := r.data[r.at : r.at+i]
			r.at += i + 1
			return s, ascii || utf8.Valid(s)
		case c == '\\':
			return r.escaped(i)
		case c < ' ':
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// escaped reads the rest of a string whose first escape is n bytes ahead.
func (r *jsonReader) escaped(n int) ([]byte, bool) {
	s := append(make([]byte, 0, n+32), r.data[r.at:r.at+n]...)
	for r.at += n; r.at < len(r.data); {
		c := r.data[r.at]
		r.at++
		switch {
		case c == '"':
			return s, utf8.Valid(s)
		case c < ' ':
			return nil, false
		case c == '\\':
			char, ok := r.escape()
			if !ok {
				return nil, false
			}
			s = utf8.AppendRune(s, char)
		default:
			s = append(s, c)
		}
	}
	return nil, false
}

// escape reads what stands behind a backslash, but no surrogates: those come in
// pairs, or are mistakes that encoding/json knows how to mend.
func (r *jsonReader) escape() (rune, bool) {
	c := r.peek()
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		if len(r.data)-r.at < 4 {
			return 0, false
		}
		n, err := strconv.ParseUint(string(r.data[r.at:r.at+4]), 16, 16)
		r.at += 4
		return rune(n), err == nil && !utf16.IsSurrogate(rune(n))
	}
	return 0, false
}

// digits reads digits and returns how many there are. The value counts only up
// to maxPlainDigits of them.
func (r *jsonReader) digits() (n int64, count int) {
	start := r.at
	for c := r.peek(); '0' <= c && c <= '9'; c = r.peek() {
		n = n*10 + int64(c-'0')
		r.at++
	}
	return n, r.at - start
}

// integer reads the part of a number before point and exponent; zeros in front
// are not allowed.
func (r *jsonReader) integer() (n int64, count int, ok bool) {
	zero := r.peek() == '0'
	n, count = r.digits()
	return n, count, count == 1 || count > 1 && !zero
}

func readInt[T int | int32 | int64](r *jsonReader) (T, bool) {
	minus := r.take('-')
	n, count, ok := r.integer()
	if minus {
		n = -n
	}
	return T(n), ok && count <= maxPlainDigits && int64(T(n)) == n
}

// number reads any number that a float64 can hold.
func (r *jsonReader) number() (float64, bool) { return r.float(64) }

// float reads any number that a float of so many bits can hold.
func (r *jsonReader) float(bits int) (float64, bool) {
	start := r.at
	minus := r.take('-')
	n, count, ok := r.integer()
	if !ok {
		return 0, false
	}
	whole := true
	if r.take('.') {
		whole = false
		if _, count := r.digits(); count == 0 {
			return 0, false
		}
	}
	if r.take('e') || r.take('E') {
		whole = false
		_ = r.take('+') || r.take('-')
		if _, count := r.digits(); count == 0 {
			return 0, false
		}
	}
	if whole && !minus && count <= maxPlainExact {
		return float64(n), true
	}
	f, err := strconv.ParseFloat(string(r.data[start:r.at]), bits)
	return f, err == nil
}

// value reads what goes into an any.
func (r *jsonReader) value() (v any, ok bool) {
	switch r.peek() {
	case '"':
		v, ok = r.text()
	case '{':
		v, ok = readObject(r, (*jsonReader).value)
	case '[':
		v, ok = readList(r, (*jsonReader).value)
	case 't', 'f':
		v, ok = r.boolean()
	case 'n':
		return nil, r.word("null")
	default:
		v, ok = r.number()
	}
	return v, ok
}

// enter steps over an opening bracket.
func (r *jsonReader) enter(open byte) bool {
	r.depth++
	return r.depth <= maxPlainDepth && r.take(open)
}

// name reads a key and the colon. The result is a part of data.
func (r *jsonReader) name() ([]byte, bool) {
	name, ok := r.chars()
	if r.space(); !ok || !r.take(':') {
		return nil, false
	}
	r.space()
	return name, true
}

// next is called behind an element: it steps over a comma, or over the closing
// bracket, which is the last.
func (r *jsonReader) next(end byte) (last, ok bool) {
	r.space()
	if r.take(end) {
		r.depth--
		return true, true
	}
	ok = r.take(',')
	r.space()
	return false, ok
}

func readList[T any](r *jsonReader, read func(*jsonReader) (T, bool)) ([]T, bool) {
	if !r.enter('[') {
		return nil, false
	}
	if r.space(); r.take(']') {
		r.depth--
		return []T{}, true
	}
	var list []T
	if r.depth == 1 { // deeper the commas would be counted again and again
		list = make([]T, 0, min(1+bytes.Count(r.data, []byte{','}), maxPlainRoom))
	}
	for {
		v, ok := read(r)
		if !ok {
			return nil, false
		}
		list = append(list, v)
		if last, ok := r.next(']'); last || !ok {
			return list, ok
		}
	}
}

func readObject[T any](r *jsonReader, read func(*jsonReader) (T, bool)) (map[string]T, bool) {
	if !r.enter('{') {
		return nil, false
	}
	m := map[string]T{}
	if r.space(); r.take('}') {
		r.depth--
		return m, true
	}
	for {
		name, ok := r.name()
		if !ok {
			return nil, false
		}
		key := string(name)
		v, ok := read(r)
		if !ok {
			return nil, false
		}
		m[key] = v
		if last, ok := r.next('}'); last || !ok {
			return m, ok
		}
	}
}
