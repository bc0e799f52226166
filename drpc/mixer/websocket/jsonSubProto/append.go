package jsonSubProto

import (
	"bytes"
	"strconv"

	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// binary are the filters whose output is never text, said beforehand and not found out by their luck.
var binary = []byte{tfilter.Md5Id, tfilter.GzipId, tfilter.AesId, tfilter.AesGcmId}

// appendObject appends the object of m to dst.
func appendObject(dst []byte, m *message.Msg) ([]byte, error) {
	dst, err := payload.AppendJSONHead(dst, m)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `","meta":"`...)
	if dst, err = payload.AppendJSONMeta(dst, m); err != nil {
		return dst, err
	}
	dst = strconv.AppendUint(append(dst, `","bodyCodec":`...), uint64(m.BodyCodec()), 10)

	dst = append(dst, `,"body":"`...)
	at := len(dst)
	if dst, err = m.AppendBody(dst); err != nil {
		return dst, err
	}
	if dst, err = filter(dst, at, m); err != nil {
		return dst, err
	}
	if dst, err = payload.Escape(dst, at, "body"); err != nil {
		return dst, err
	}
	dst = appendIDs(append(dst, `","ptf":`...), m.PipeTFilter().IDs())
	if !m.StatusOK() {
		dst = append(dst, `,"status":"`...)
		at := len(dst)
		if dst, err = payload.EscapeHeader(m.AppendStatus(dst), at, "status"); err != nil {
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
