package pbSubProto

import (
	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
)

var fields = payload.Fields{Meta: 4, BodyCodec: 5, Body: 6, Filters: 7, Status: 8}

// appendPayload appends the fields of m to dst.
func appendPayload(dst []byte, m *message.Msg) ([]byte, error) {
	dst, err := fields.AppendHead(dst, m)
	if err != nil {
		return dst, err
	}
	if dst, err = fields.AppendMeta(dst, m); err != nil {
		return dst, err
	}
	if dst, err = fields.AppendBody(dst, m); err != nil || m.StatusOK() {
		return dst, err
	}
	return fields.AppendStatus(dst, m)
}
