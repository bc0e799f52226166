package codec

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendPlainJSON appends v if it is of a type that needs no reflection and holds
// nothing to escape. With ok false encoding/json must do it; bytes behind the
// length of dst may have changed then.
func appendPlainJSON(dst []byte, v any) (out []byte, ok bool) {
	switch v := v.(type) {
	case string:
		return appendPlainString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), true
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int64:
		return strconv.AppendInt(dst, v, 10), true
	case []int:
		return appendInts(dst, v)
	case []int32:
		return appendInts(dst, v)
	case []int64:
		return appendInts(dst, v)
	case []string:
		return appendStrings(dst, v)
	}
	return appendPlainPointer(dst, v)
}

// appendPlainPointer is for programs that send the pointer they decoded into.
func appendPlainPointer(dst []byte, v any) (out []byte, ok bool) {
	switch v := v.(type) {
	case *string:
		if v != nil {
			return appendPlainString(dst, *v)
		}
	case *int:
		if v != nil {
			return strconv.AppendInt(dst, int64(*v), 10), true
		}
	case *[]int:
		if v != nil {
			return appendInts(dst, *v)
		}
	case *[]string:
		if v != nil {
			return appendStrings(dst, *v)
		}
	}
	return dst, false
}

func appendInts[T int | int32 | int64](dst []byte, list []T) (out []byte, ok bool) {
	if list == nil {
		return append(dst, "null"...), true
	}
	out = append(dst, '[')
	for i, n := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(n), 10)
	}
	return append(out, ']'), true
}

func appendStrings(dst []byte, list []string) (out []byte, ok bool) {
	if list == nil {
		return append(dst, "null"...), true
	}
	out = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		if out, ok = appendPlainString(out, s); !ok {
			return dst, false
		}
	}
	return append(out, ']'), true
}

func appendPlainString(dst []byte, s string) (out []byte, ok bool) {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return dst, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	// The two separators are line ends in JavaScript and so escaped.
	if !ascii && (!utf8.ValidString(s) || strings.Contains(s, "\u2028") || strings.Contains(s, "\u2029")) {
		return dst, false
	}
	out = append(dst, '"')
	out = append(out, s...)
	return append(out, '"'), true
}
