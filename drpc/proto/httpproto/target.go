package httpproto

import (
	"bytes"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// appendTarget appends the request target of a service method, a path with or without a query or a whole URL, whose host
// it returns.
func appendTarget(dst []byte, method string) (out []byte, host string) {
	if rest, ok := cutScheme(method); ok {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		host, method = rest[:end], rest[end:]
		host = host[strings.LastIndexByte(host, '@')+1:]
		method, _, _ = strings.Cut(method, "#")
	}
	path, query, hasQuery := strings.Cut(method, "?")
	if path == "" {
		path = "/"
	}
	dst = appendEscaped(dst, path, &pathChars)
	if hasQuery {
		dst = appendEscaped(append(dst, '?'), query, &queryChars)
	}
	return dst, host
}

func cutScheme[T string | []byte](s T) (rest T, ok bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(s) >= len(scheme) && strings.EqualFold(string(s[:len(scheme)]), scheme) {
			return s[len(scheme):], true
		}
	}
	return rest, false
}

// pathChars and queryChars are what stands in a path and a query as it is. A query is left as it is wherever that is
// possible: older peers do not decode it.
var pathChars, queryChars = func() (path, query [256]bool) {
	for c := range path {
		b := byte(c)
		letter := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
		path[c] = letter || strings.IndexByte("-._~!$&'()*+,;=:@/", b) >= 0
		query[c] = b > ' ' && b != 0x7f && b != '#'
	}
	return path, query
}()

// appendEscaped appends s with all characters but the plain ones as %XX. Escapes that are in s already stay.
func appendEscaped(dst []byte, s string, plain *[256]bool) []byte {
	for i := range len(s) {
		c := s[i]
		if plain[c] || c == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

func unhex(c byte) int {
	switch c = lower(c); {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// splitTarget returns the service method and the query that a request asks for.
func splitTarget(target []byte) (method, query []byte) {
	if rest, ok := cutScheme(target); ok { // as proxies are asked
		target = []byte("/")
		if i := bytes.IndexAny(rest, "/?"); i >= 0 && rest[i] == '/' {
			target = rest[i:]
		} else if i >= 0 {
			target = append(target, rest[i:]...)
		}
	}
	method, query, _ = bytes.Cut(target, []byte("?"))
	return unescape(method, false), query
}

// unescape decodes %XX, and + where it stands for a blank. What is no escape stays as it is.
func unescape(s []byte, plus bool) []byte {
	if bytes.IndexByte(s, '%') < 0 && (!plus || bytes.IndexByte(s, '+') < 0) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		case c == '+' && plus:
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

// appendQuery appends the pairs of a query. Pairs without a name or without a value are left out.
func appendQuery(dst []field, query []byte) []field {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		if len(key) > 0 && len(value) > 0 {
			dst = append(dst, field{name: unescape(key, true), value: unescape(value, true)})
		}
	}
	return dst
}
