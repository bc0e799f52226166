package jsonproto

import (
	"strconv"

	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
)

// okStatus is status.OKJSON as it stands in a JSON string. Nearly every frame has it.
const okStatus = `{\"code\":0,\"msg\":\"\",\"cause\":\"\"}`

// appendPayload appends the object of m to dst.
func appendPayload(dst []byte, m *message.Msg) ([]byte, error) {
	dst, err := payload.AppendJSONHead(dst, m)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `","status":"`...)
	if m.StatusOK() {
		dst = append(dst, okStatus...)
	} else {
		at := len(dst)
		if dst, err = payload.EscapeHeader(m.AppendStatus(dst), at, "status"); err != nil {
			return dst, err
		}
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
	if dst, err = payload.Escape(dst, at, "body"); err != nil {
		return dst, err
	}
	return append(dst, `"}`...), nil
}
