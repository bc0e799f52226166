package jsonrpcproto

// maxDepth is how deep values may be nested; encoding/json has the same limit.
const maxDepth = 10_000

// valid is json.Valid, several times as fast: every line passes through it before anything is made of it.
func valid(b []byte) bool {
	v := validator{b: b}
	if !v.value(0) {
		return false
	}
	v.blanks()
	return v.at == len(b)
}

// validator reads JSON without making anything of it. Its methods return false where it is none.
type validator struct {
	b  []byte
	at int
}

func (v *validator) blanks() {
	for v.at < len(v.b) {
		switch v.b[v.at] {
		case ' ', '\t', '\r', '\n':
			v.at++
		default:
			return
		}
	}
}

// take takes the next character if it is c.
func (v *validator) take(c byte) bool {
	if v.at < len(v.b) && v.b[v.at] == c {
		v.at++
		return true
	}
	return false
}

func (v *validator) value(depth int) bool {
	v.blanks()
	if v.at == len(v.b) {
		return false
	}
	switch v.b[v.at] {
	case '{':
		return depth < maxDepth && v.list('}', depth+1)
	case '[':
		return depth < maxDepth && v.list(']', depth+1)
	case '"':
		return v.text()
	case 't':
		return v.word("true")
	case 'f':
		return v.word("false")
	case 'n':
		return v.word("null")
	}
	return v.number()
}

// list reads what stands between a bracket and end, separated by commas: the members of an object or the elements of an
// array.
func (v *validator) list(end byte, depth int) bool {
	v.at++
	if v.blanks(); v.take(end) {
		return true
	}
	for end == '}' && v.member(depth) || end == ']' && v.value(depth) {
		if v.blanks(); v.take(end) {
			return true
		}
		if !v.take(',') {
			return false
		}
	}
	return false
}

func (v *validator) member(depth int) bool {
	v.blanks()
	if v.at == len(v.b) || v.b[v.at] != '"' || !v.text() {
		return false
	}
	v.blanks()
	return v.take(':') && v.value(depth)
}

func (v *validator) word(w string) bool {
	if len(v.b)-v.at < len(w) || string(v.b[v.at:v.at+len(w)]) != w {
		return false
	}
	v.at += len(w)
	return true
}

// plainText has the characters of a string that stand for themselves.
var plainText = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

func (v *validator) text() bool {
	b := v.b
	for i := v.at + 1; i < len(b); i++ {
		if plainText[b[i]] {
			continue
		}
		switch {
		case b[i] == '"':
			v.at = i + 1
			return true
		case b[i] != '\\' || i+1 == len(b):
			return false
		}
		i++
		switch b[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if len(b)-i <= 4 || !isHex(b[i+1]) || !isHex(b[i+2]) || !isHex(b[i+3]) || !isHex(b[i+4]) {
				return false
			}
			i += 4
		default:
			return false
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (v *validator) number() bool {
	v.take('-')
	if !v.take('0') && !v.digits() {
		return false
	}
	if v.take('.') && !v.digits() {
		return false
	}
	if v.take('e') || v.take('E') {
		if !v.take('+') {
			v.take('-')
		}
		return v.digits()
	}
	return true
}

// digits reads one or more.
func (v *validator) digits() bool {
	from := v.at
	for v.at < len(v.b) && '0' <= v.b[v.at] && v.b[v.at] <= '9' {
		v.at++
	}
	return v.at > from
}
