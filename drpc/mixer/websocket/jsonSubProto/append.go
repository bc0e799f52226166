package jsonSubProto

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/internal/bufpool"
)

// binary are the filters whose output is never text, said beforehand and not found out by their luck.
var binary = []byte{tfilter.Md5Id, tfilter.GzipId, tfilter.AesId, tfilter.AesGcmId}

// appendObject appends the object of m to dst.
func appendObject(dst []byte, m *message.Msg) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.MType()), 10)
	part := bufpool.Get(0)
	defer bufpool.Put(part)

	part.B = append(part.B, m.ServiceMethod()...)
	dst, err := appendHeader(append(dst, `,"serviceMethod":`...), part.B, "service method")
	if err != nil {
		return dst, err
	}
	if part.B, err = m.AppendMeta(part.B[:0]); err != nil {
		return dst, err
	}
	if dst, err = appendHeader(append(dst, `,"meta":`...), part.B, "meta"); err != nil {
		return dst, err
	}
	dst = strconv.AppendUint(append(dst, `,"bodyCodec":`...), uint64(m.BodyCodec()), 10)
	if part.B, err = m.AppendBody(part.B[:0]); err != nil {
		return dst, err
	}
	if part.B, err = filter(part.B, m); err != nil {
		return dst, err
	}
	if dst, err = appendText(append(dst, `,"body":`...), part.B, "body"); err != nil {
		return dst, err
	}
	dst = appendIDs(append(dst, `,"ptf":`...), m.PipeTFilter().IDs())
	if !m.StatusOK() {
		part.B = m.AppendStatus(part.B[:0])
		if dst, err = appendHeader(append(dst, `,"status":`...), part.B, "status"); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// filter passes the body through the transfer filters.
func filter(body []byte, m *message.Msg) ([]byte, error) {
	pipe := m.PipeTFilter()
	if pipe.Len() == 0 {
		return body, nil
	}
	if pipe.Len() > proto.MaxFilters {
		return body, proto.ErrTooManyFilters
	}
	for _, id := range pipe.IDs() {
		if bytes.IndexByte(binary, id) >= 0 {
			return body, ErrBinaryFilter
		}
	}
	return proto.Filter(body, 0, m)
}

// appendIDs appends the ids as an array of numbers.
func appendIDs(dst, ids []byte) []byte {
	dst = append(dst, '[')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(id), 10)
	}
	return append(dst, ']')
}

// appendHeader is appendText for a part of the header, whose size is limited.
func appendHeader(dst, text []byte, part string) ([]byte, error) {
	if err := proto.CheckHeaderPart(part, len(text)); err != nil {
		return dst, err
	}
	return appendText(dst, text, part)
}

// appendText appends text as a JSON string.
func appendText(dst, text []byte, part string) ([]byte, error) {
	if !utf8.Valid(text) {
		return dst, fmt.Errorf("%s: %w, which a JSON string cannot hold", part, proto.ErrNotText)
	}
	dst = append(slices.Grow(dst, len(text)+2), '"')
	plain := 0
	for i, c := range text {
		letter := escapes[c]
		if letter == 0 {
			continue
		}
		dst = append(dst, text[plain:i]...)
		plain = i + 1
		if letter == 'u' {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		} else {
			dst = append(dst, '\\', letter)
		}
	}
	return append(append(dst, text[plain:]...), '"'), nil
}

const hexDigits = "0123456789abcdef"

// escapes has what stands behind the backslash for each character that needs one.
var escapes = func() (letters [256]byte) {
	for c := range byte(' ') {
		letters[c] = 'u'
	}
	for c, letter := range map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'} {
		letters[c] = letter
	}
	return letters
}()
