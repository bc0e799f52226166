package pbproto

import (
	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
)

var fields = payload.Fields{Status: 4, Meta: 5, BodyCodec: 6, Body: 7, NeedsMeta: true}

// appendPayload appends the fields of m to dst.
func appendPayload(dst []byte, m *message.Msg) ([]byte, error) {
	dst, err := fields.AppendHead(dst, m)
	if err != nil {
		return dst, err
	}
	if dst, err = fields.AppendStatus(dst, m); err != nil {
		return dst, err
	}
	if dst, err = fields.AppendMeta(dst, m); err != nil {
		return dst, err
	}
	return fields.AppendBody(dst, m)
}
