package httpproto

import (
	"bytes"
	"math"
)

// firstLine is the request line or the status line, its parts as they lie in the frame.
type firstLine struct {
	valid bool
	old   bool // HTTP/1.0
	// Of a request.
	method, target []byte
	// Of a reply.
	reply  bool
	code   int
	reason []byte
}

var prefix1 = []byte("HTTP/1.")

func (f *firstLine) parse(line []byte) error {
	if bytes.HasPrefix(line, prefix1) {
		return f.parseReply(line)
	}
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || !validName(method) || len(target) == 0 || !validTarget(target) {
		return malformed("the request line is not one")
	}
	if err := f.setVersion(version); err != nil {
		return err
	}
	f.method, f.target = method, target
	return nil
}

func validTarget(target []byte) bool {
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func (f *firstLine) setVersion(version []byte) error {
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		f.old = true
	default:
		if !bytes.HasPrefix(version, []byte("HTTP/")) {
			return malformed("the request line has no version")
		}
		return &fault{505, malformed("a version other than HTTP/1.1 and HTTP/1.0")}
	}
	f.valid = true
	return nil
}

func (f *firstLine) parseReply(line []byte) error {
	f.reply = true
	version, rest, _ := bytes.Cut(line, []byte(" "))
	if err := f.setVersion(version); err != nil {
		return err
	}
	code, reason, _ := bytes.Cut(rest, []byte(" "))
	n, ok := digits(code)
	if !ok || len(code) != 3 || n < 100 || n > math.MaxInt16 || !validValue(reason) {
		return malformed("the status line is not one")
	}
	f.code, f.reason = int(n), reason
	return nil
}

// forget drops the references to the frame, whose buffer may move before the rest of it has come.
func (f *firstLine) forget() { f.method, f.target, f.reason = nil, nil, nil }

// interim reports whether the reply is only the announcement of one.
func (f *firstLine) interim() bool { return f.code < 200 && f.code != 101 }

// bodyless reports whether the reply ends with its head whatever its headers say.
func (f *firstLine) bodyless() bool { return f.code < 200 || f.code == 204 || f.code == 304 }
