package httpproto

import (
	"bytes"
	"math"

	"github.com/osgochina/dmicro/drpc/message"
)

// phase is what the bytes behind scan.pos belong to.
type phase byte

const (
	inHead      phase = iota
	inChunkSize       // a line with the size of the next chunk
	inTrailer         // lines behind the last chunk
	inBody            // total is known
)

// scan finds the end of a frame. It goes on where it stopped when more bytes have come.
type scan struct {
	pos     int // start of the line or chunk that was not understood yet
	looked  int // how far the end of that line was searched
	lines   int
	lineLen int // bytes of all lines so far, which are limited apart from the body
	phase   phase
	first   firstLine
	framing framing
	total   int
}

// FrameLen returns where the frame ends: at the end of its head, Content-Length behind it, or behind the last chunk. A
// request that cannot be read gets its refusal from ParseFrame, after all replies that come before.
func (p *httpProto) FrameLen(head []byte, seen int) (int, error) {
	if p.closing {
		return len(head), nil
	}
	if seen == 0 || p.scan.pos > len(head) {
		p.scan = scan{framing: framing{length: -1}}
		p.fault = nil
	}
	s := &p.scan
	n, err := s.run(head)
	if err == nil {
		err = p.checkLimit(s, n, len(head))
	}
	switch {
	case err == nil && s.awaited(n, len(head)) && !p.replies.waiting():
		s.framing.expect = false
		return n, p.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	case err == nil:
		return n, nil
	case s.first.reply || p.calls.Load():
		return 0, err // nobody to tell
	}
	p.fault = asFault(err)
	return min(len(head), p.limit()), nil
}

// awaited reports whether the sender waits for leave to send its body.
func (s *scan) awaited(n, have int) bool {
	return s.framing.expect && s.phase != inHead && (n == 0 || n > have)
}

// checkLimit refuses what is too long in words of HTTP. Where the connection does not tell its limit, or for a reply,
// the session does it.
func (p *httpProto) checkLimit(s *scan, n, have int) error {
	if s.first.reply || s.phase == inHead {
		return nil
	}
	if n == 0 {
		n = have
	}
	if limit := p.limit(); n > limit {
		return &fault{413, message.CheckSize(uint64(n), uint32(limit))}
	}
	return nil
}

// run returns the length of the frame, 0 as long as that is not known.
func (s *scan) run(b []byte) (int, error) {
	for s.phase != inBody {
		line, ok, err := s.line(b)
		if err != nil || !ok {
			return 0, err
		}
		switch s.phase {
		case inHead:
			err = s.headLine(line)
		case inChunkSize:
			ok, err = s.chunk(b, line)
		case inTrailer:
			err = s.trailerLine(line)
		}
		if err != nil || !ok {
			return 0, err
		}
	}
	return s.total, nil
}

// line returns the next whole line without its end.
func (s *scan) line(b []byte) (line []byte, ok bool, err error) {
	rest := b[s.pos:]
	i := bytes.IndexByte(rest[s.looked:], '\n')
	if i < 0 {
		s.looked = len(rest)
		if s.looked > maxLine {
			return nil, false, tooLong("bytes in a line", s.looked, maxLine)
		}
		if s.pos == 0 && len(rest) > 0 && !plausible(rest) {
			return nil, false, malformed("this is not HTTP")
		}
		return nil, false, nil
	}
	end := s.looked + i
	if end == 0 || rest[end-1] != '\r' {
		return nil, false, malformed("a line ends without a carriage return")
	}
	s.pos += end + 1
	s.looked = 0
	s.lineLen += end + 1
	switch {
	case end > maxLine:
		return nil, false, tooLong("bytes in a line", end, maxLine)
	case s.lineLen > maxHead:
		return nil, false, tooLong("bytes of headers", s.lineLen, maxHead)
	}
	return rest[:end-1], true, nil
}

// plausible reports whether b may be the start of a first line. It spares a peer that speaks another protocol, TLS for
// one, waiting for an answer until it has sent a whole line.
func plausible(b []byte) bool {
	for _, c := range b {
		switch {
		case c == ' ' || c == '/':
			return true
		case c != '\r' && !tokenChars[c]:
			return false
		}
	}
	return true
}

// headLine takes the first line, a header, or the empty line behind them.
func (s *scan) headLine(line []byte) error {
	switch {
	case !s.first.valid && len(line) == 0:
		// A client may send an empty line too many behind the request before.
		s.lines++
		if s.lines > 2 {
			return malformed("empty lines in place of a request")
		}
		return nil
	case !s.first.valid:
		s.lines = 0
		err := s.first.parse(line)
		s.first.forget()
		return err
	case len(line) == 0:
		return s.headEnd()
	}
	if s.lines++; s.lines > maxLines {
		return tooLong("headers", s.lines, maxLines)
	}
	switch lower(line[0]) {
	case 'c', 't', 'e':
		h, ok := splitField(line)
		if !ok {
			return malformed("a header is not one")
		}
		_, err := s.framing.take(h)
		return err
	}
	return nil // ParseFrame looks at the others
}

// headEnd decides how the body ends.
func (s *scan) headEnd() error {
	if err := s.framing.check(&s.first); err != nil {
		return err
	}
	if s.framing.chunked {
		s.phase, s.lineLen = inChunkSize, 0
		return nil
	}
	if s.framing.length > math.MaxInt32 { // more than any limit, and int may have 32 bits
		return &fault{413, malformed("%s %d", headerContentLength, s.framing.length)}
	}
	s.phase, s.total = inBody, s.pos+int(s.framing.length)
	return nil
}

// trailerLine takes a line behind the last chunk. Its headers are dropped.
func (s *scan) trailerLine(line []byte) error {
	if len(line) == 0 {
		s.phase, s.total = inBody, s.pos
		return nil
	}
	if _, ok := splitField(line); !ok {
		return malformed("a trailer is not one")
	}
	return nil
}

// chunk takes the line before a chunk, and the chunk if it is there.
func (s *scan) chunk(b, line []byte) (whole bool, err error) {
	size, ok := chunkSize(line)
	if !ok {
		return false, malformed("a chunk without size")
	}
	if size == 0 {
		s.phase = inTrailer
		return true, nil
	}
	end := s.pos + size
	if len(b) < end+2 {
		// The line is read again when more bytes are there; until then it tells how many are needed.
		s.pos -= len(line) + 2
		s.lineLen -= len(line) + 2
		return false, nil
	}
	if b[end] != '\r' || b[end+1] != '\n' {
		return false, malformed("a chunk is longer than its size")
	}
	s.pos = end + 2
	if bytes.IndexByte(line, ';') < 0 {
		s.lineLen -= len(line) + 2 // small chunks are no long header
	}
	return true, nil
}
