package status

import (
	"strconv"
	"strings"
)

// parseOlder decodes the form of DMicro 1.x peers where it is no JSON: the same three keys, but strings that are quoted
// as in Go source, which has \x01, \a, \v, \xff and \U000e0001 where JSON has other escapes or none. Such a status most
// often repeats what a user has typed in, and no peer may lose its session over that.
func parseOlder(b []byte) (w wireStatus, ok bool) {
	rest, ok := strings.CutPrefix(string(b), `{"code":`)
	if !ok {
		return w, false
	}
	number, rest, _ := strings.Cut(rest, `,`)
	code, err := strconv.ParseInt(number, 10, 32)
	if err != nil || strconv.FormatInt(code, 10) != number {
		return w, false
	}
	w.Code = int32(code)
	if w.Msg, rest, ok = cutQuoted(rest, `"msg":`); !ok {
		return w, false
	}
	if w.Cause, rest, ok = cutQuoted(rest, `,"cause":`); !ok {
		return w, false
	}
	return w, rest == "}"
}

// cutQuoted takes a string in double quotes, and what stands before it, from the front of s.
func cutQuoted(s, before string) (text, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, before)
	if !ok || !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", false
	}
	if text, err = strconv.Unquote(quoted); err != nil {
		return "", "", false
	}
	return text, s[len(quoted):], true
}
