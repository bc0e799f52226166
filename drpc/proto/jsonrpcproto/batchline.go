package jsonrpcproto

import (
	"bytes"
)

// batchLine is a line that holds an array. Its elements are frames of their own, so that each becomes a message like
// any other; the brackets, commas and blanks around them belong to the frame of the nearest.
type batchLine struct {
	batch *batch
	rest  int // bytes of the line that were not handed out, 0 outside of a batch
	// The element that was handed out: its place within its frame.
	from, to, total int
}

// FrameLen returns the length of the line or, within a batch, that of its next element.
func (p *jsonrpc) FrameLen(head []byte, seen int) (int, error) {
	if l := &p.line; 0 < l.rest && l.rest <= len(head) {
		return l.next(head[:l.rest]), nil
	}
	i := bytes.IndexByte(head[seen:], '\n')
	if i < 0 {
		return 0, nil
	}
	line := head[:seen+i+1]
	if first := skipBlanks(line); len(first) > 0 && first[0] == '[' && p.line.begin(line) {
		return p.line.next(line), nil
	}
	return len(line), nil
}

// begin prepares the elements of a line. False means that it is no batch that can be served; it is refused as a whole.
func (l *batchLine) begin(line []byte) bool {
	*l = batchLine{}
	if !valid(line) {
		return false
	}
	rest, n := skipBlanks(skipBlanks(line)[1:]), 0
	for ; rest[0] != ']' && n <= maxBatch; n++ {
		rest = skipBlanks(rest[valueLen(rest):])
		if rest[0] == ',' {
			rest = skipBlanks(rest[1:])
		}
	}
	if n == 0 || n > maxBatch {
		return false
	}
	l.batch = &batch{open: true}
	l.rest = len(line)
	return true
}

// next returns the length of the frame of the next element; rest is what is left of the line.
func (l *batchLine) next(rest []byte) int {
	element := skipBlanks(rest)
	if l.total == 0 { // the first
		element = skipBlanks(element[1:])
	}
	l.from = len(rest) - len(element)
	l.to = l.from + valueLen(element)
	behind := skipBlanks(rest[l.to:])
	if behind[0] == ']' {
		l.total = len(rest)
	} else {
		l.total = len(rest) - len(behind) + 1
	}
	return l.total
}

// take returns the text of a frame and the batch that it is an element of, nil for a line of its own. last says that no
// other element follows.
func (l *batchLine) take(frame []byte) (text []byte, b *batch, last bool) {
	if l.rest == 0 || len(frame) != l.total {
		*l = batchLine{}
		return frame, nil, false
	}
	text, b = frame[l.from:l.to], l.batch
	if l.rest -= l.total; l.rest == 0 {
		last = true
		*l = batchLine{}
	}
	return text, b, last
}
