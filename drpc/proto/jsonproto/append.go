package jsonproto

import (
	"fmt"
	"strconv"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/jsontext"
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
	b, isText := jsontext.Escape(b, at)
	if !isText {
		return b, fmt.Errorf("%s: %w, which a JSON string cannot hold", part, ErrNotText)
	}
	return b, nil
}
