package httpproto

import "bytes"

// framing is what the head of a frame says about the length of its body. Any doubt about that is an error: what follows
// might be read as another request than the one that the sender, or a proxy between, has seen.
type framing struct {
	length  int64 // Content-Length, -1 without
	chunked bool
	expect  bool // the sender waits for 100 Continue
}

// take notes a header. It returns false for one that is of no concern here.
func (f *framing) take(h field) (mine bool, err error) {
	switch {
	case same(h.name, "content-length"):
		n, ok := digits(h.value)
		if !ok || f.length >= 0 {
			return true, malformed("%s is not one number", headerContentLength)
		}
		f.length = n
	case same(h.name, "transfer-encoding"):
		if f.chunked {
			return true, malformed("more than one %s", headerTransferEncoding)
		}
		if !same(h.value, "chunked") {
			return true, &fault{501, malformed("%s other than chunked", headerTransferEncoding)}
		}
		f.chunked = true
	case same(h.name, "expect"):
		if !same(h.value, "100-continue") {
			return true, &fault{417, malformed("%s other than 100-continue", headerExpect)}
		}
		f.expect = true
	default:
		return false, nil
	}
	return true, nil
}

// check is called at the end of a head. After it a frame that is not chunked has a length.
func (f *framing) check(first *firstLine) error {
	switch {
	case f.chunked && (f.length >= 0 || first.old):
		return malformed("%s beside %s, or in HTTP/1.0", headerTransferEncoding, headerContentLength)
	case first.reply && first.bodyless():
		f.length, f.chunked = 0, false
	case f.chunked:
	case f.length < 0 && first.reply:
		return malformed("a reply without %s that is not chunked", headerContentLength)
	default:
		f.length = max(f.length, 0)
	}
	f.expect = f.expect && !first.old
	return nil
}

// chunkSize parses the hexadecimal size at the start of line, behind which an extension may follow.
func chunkSize(line []byte) (n int, ok bool) {
	size, extension, _ := bytes.Cut(line, []byte(";"))
	size = trimBlanks(size)
	if len(size) == 0 || len(size) > 7 || !validValue(extension) {
		return 0, false
	}
	for _, c := range size {
		digit := unhex(c)
		if digit < 0 {
			return 0, false
		}
		n = n<<4 | digit
	}
	return n, true
}

// dechunk returns the content of a chunked body, false if body does not hold exactly one.
func dechunk(body []byte) ([]byte, bool) {
	s := scan{phase: inChunkSize}
	if n, err := s.run(body); err != nil || n != len(body) {
		return nil, false
	}
	out := make([]byte, 0, len(body))
	for {
		i := bytes.IndexByte(body, '\n')
		size, _ := chunkSize(body[:i-1])
		if size == 0 {
			return out, true
		}
		out = append(out, body[i+1:i+1+size]...)
		body = body[i+1+size+2:]
	}
}
