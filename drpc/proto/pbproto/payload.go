package pbproto

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/pbwire"
)

// Numbers of the fields.
const (
	fieldSeq protowire.Number = iota + 1
	fieldMType
	fieldServiceMethod
	fieldStatus
	fieldMeta
	fieldBodyCodec
	fieldBody
)

var errMethod = fmt.Errorf("service method: %w", ErrNotText)

// appendPayload appends the fields of m to dst.
func appendPayload(dst []byte, m *message.Msg) ([]byte, error) {
	dst = pbwire.AppendInt(dst, fieldSeq, m.Seq())
	dst = pbwire.AppendInt(dst, fieldMType, int32(m.MType()))

	method := m.ServiceMethod()
	if !utf8.ValidString(method) {
		return dst, errMethod
	}
	if err := proto.CheckHeaderPart("service method", len(method)); err != nil {
		return dst, err
	}
	if method != "" {
		dst = protowire.AppendString(protowire.AppendTag(dst, fieldServiceMethod, protowire.BytesType), method)
	}
	at := len(dst)
	dst = m.AppendStatus(dst)
	if err := proto.CheckHeaderPart("status", len(dst)-at); err != nil {
		return dst, err
	}
	dst = pbwire.CloseBytes(dst, at, fieldStatus)

	at = len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	if err = proto.CheckHeaderPart("meta", len(dst)-at); err != nil {
		return dst, err
	}
	dst = pbwire.CloseBytes(dst, at, fieldMeta)
	dst = pbwire.AppendInt(dst, fieldBodyCodec, int32(m.BodyCodec()))

	at = len(dst)
	if dst, err = m.AppendBody(dst); err != nil {
		return dst, err
	}
	return pbwire.CloseBytes(dst, at, fieldBody), nil
}

// parsePayload parses the fields of a payload into m.
func parsePayload(payload []byte, m *message.Msg) error {
	var f pbwire.Fields
	if err := f.Scan(payload, fieldServiceMethod, errMethod); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	method, stat, meta := f.Bytes[fieldServiceMethod], f.Bytes[fieldStatus], f.Bytes[fieldMeta]
	for _, part := range [...]struct {
		name string
		text []byte
	}{{"service method", method}, {"status", stat}, {"meta", meta}} {
		if err := proto.CheckHeaderPart(part.name, len(part.text)); err != nil {
			return err
		}
	}
	for _, field := range [...]protowire.Number{fieldMType, fieldBodyCodec} {
		if v := f.Ints[field]; v < 0 || v > math.MaxUint8 {
			return fmt.Errorf("%w: %d in field %d", proto.ErrMalformed, v, field)
		}
	}
	m.SetSeq(f.Ints[fieldSeq])
	m.SetMType(byte(f.Ints[fieldMType]))
	m.ParseServiceMethod(method)
	if err := m.ParseStatus(stat); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	if err := m.ParseMeta(meta); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	m.SetBodyCodec(byte(f.Ints[fieldBodyCodec]))
	return m.UnmarshalBody(f.Bytes[fieldBody])
}
