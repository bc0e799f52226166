package jsonproto

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

// okStatus is status.OKJSON as it stands in a JSON string. Nearly every frame has it.
const okStatus = `{\"code\":0,\"msg\":\"\",\"cause\":\"\"}`

// appendPayload appends the object of m to dst.
func appendPayload(dst []byte, m *message.Msg) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.MType()), 10)

	dst = append(dst, `,"serviceMethod":"`...)
	at := len(dst)
	dst, err := escapeHeader(append(dst, m.ServiceMethod()...), at, "service method")
	if err != nil {
		return dst, err
	}
	dst = append(dst, `","status":"`...)
	if m.StatusOK() {
		dst = append(dst, okStatus...)
	} else {
		at = len(dst)
		if dst, err = escapeHeader(m.AppendStatus(dst), at, "status"); err != nil {
			return dst, err
		}
	}
	dst = append(dst, `","meta":"`...)
	at = len(dst)
	if dst, err = m.AppendMeta(dst); err != nil {
		return dst, err
	}
	if dst, err = escapeHeader(dst, at, "meta"); err != nil {
		return dst, err
	}
	dst = strconv.AppendUint(append(dst, `","bodyCodec":`...), uint64(m.BodyCodec()), 10)

	dst = append(dst, `,"body":"`...)
	at = len(dst)
	if dst, err = m.AppendBody(dst); err != nil {
		return dst, err
	}
	if dst, err = escapeTail(dst, at, "body"); err != nil {
		return dst, err
	}
	return append(dst, `"}`...), nil
}

// escapeHeader is escapeTail for a part of the header, whose size is limited.
func escapeHeader(b []byte, at int, part string) ([]byte, error) {
	if err := proto.CheckHeaderPart(part, len(b)-at); err != nil {
		return b, err
	}
	return escapeTail(b, at, part)
}

// escapeTail turns b[at:], the text of part, into the content of a JSON string, where it lies.
func escapeTail(b []byte, at int, part string) ([]byte, error) {
	text := b[at:]
	if !utf8.Valid(text) {
		return b, fmt.Errorf("%s: %w, which a JSON string cannot hold", part, ErrNotText)
	}
	more := 0
	for i := plainLen(text); i < len(text); i += 1 + plainLen(text[i+1:]) {
		more += int(growth[text[i]])
	}
	if more == 0 {
		return b, nil
	}
	b = slices.Grow(b, more)[:len(b)+more]
	// From the end to the front, so that nothing is overwritten before it was moved. Once reading and writing meet,
	// the rest stands where it belongs.
	read, write := len(b)-more, len(b)
	for read < write {
		read--
		c := b[read]
		switch growth[c] {
		case 0:
			write--
			b[write] = c
		case 1:
			write -= 2
			b[write], b[write+1] = '\\', short[c]
		default:
			write -= 6
			copy(b[write:], `\u00`)
			b[write+4], b[write+5] = hexDigits[c>>4], hexDigits[c&0xf]
		}
	}
	return b, nil
}

const hexDigits = "0123456789abcdef"

// short has the letter of each character with an escape of two bytes, and growth how many bytes escaping adds.
var short, growth = func() (short, growth [256]byte) {
	for c := range byte(' ') {
		growth[c] = uint8(len(`\u0000`) - 1)
	}
	for c, letter := range map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'} {
		short[c], growth[c] = letter, 1
	}
	return short, growth
}()
