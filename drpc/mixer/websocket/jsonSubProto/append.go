package jsonSubProto

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/internal/jsontext"
)

// binary are the filters whose output is never text, said beforehand and not found out by their luck.
var binary = []byte{tfilter.Md5Id, tfilter.GzipId, tfilter.AesId, tfilter.AesGcmId}

// appendObject appends the object of m to dst.
func appendObject(dst []byte, m *message.Msg) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.MType()), 10)

	dst = append(dst, `,"serviceMethod":"`...)
	at := len(dst)
	dst, err := escapeHeader(append(dst, m.ServiceMethod()...), at, "service method")
	if err != nil {
		return dst, err
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
	if dst, err = filter(dst, at, m); err != nil {
		return dst, err
	}
	if dst, err = escapeTail(dst, at, "body"); err != nil {
		return dst, err
	}
	dst = appendIDs(append(dst, `","ptf":`...), m.PipeTFilter().IDs())
	if !m.StatusOK() {
		dst = append(dst, `,"status":"`...)
		at = len(dst)
		if dst, err = escapeHeader(m.AppendStatus(dst), at, "status"); err != nil {
			return dst, err
		}
		dst = append(dst, '"')
	}
	return append(dst, '}'), nil
}

// filter passes the body, b[at:], through the transfer filters.
func filter(b []byte, at int, m *message.Msg) ([]byte, error) {
	pipe := m.PipeTFilter()
	if pipe.Len() == 0 {
		return b, nil
	}
	if pipe.Len() > proto.MaxFilters {
		return b, proto.ErrTooManyFilters
	}
	for _, id := range pipe.IDs() {
		if bytes.IndexByte(binary, id) >= 0 {
			return b, ErrBinaryFilter
		}
	}
	return proto.Filter(b, at, m)
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

// escapeHeader is escapeTail for a part of the header, whose size is limited.
func escapeHeader(b []byte, at int, part string) ([]byte, error) {
	if err := proto.CheckHeaderPart(part, len(b)-at); err != nil {
		return b, err
	}
	return escapeTail(b, at, part)
}

// escapeTail turns b[at:], the text of part, into the content of a JSON string, where it lies.
func escapeTail(b []byte, at int, part string) ([]byte, error) {
	b, isText := jsontext.Escape(b, at)
	if !isText {
		return b, fmt.Errorf("%s: %w, which a JSON string cannot hold", part, proto.ErrNotText)
	}
	return b, nil
}
