package pbSubProto

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
	fieldMeta
	fieldBodyCodec
	fieldBody
	fieldFilters
	fieldStatus
)

var errMethod = fmt.Errorf("service method: %w", proto.ErrNotText)

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
	at := len(dst)
	dst = pbwire.CloseBytes(append(dst, method...), at, fieldServiceMethod)

	at = len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	if err = proto.CheckHeaderPart("meta", len(dst)-at); err != nil {
		return dst, err
	}
	dst = pbwire.AppendInt(pbwire.CloseBytes(dst, at, fieldMeta), fieldBodyCodec, int32(m.BodyCodec()))

	pipe := m.PipeTFilter()
	if pipe.Len() > proto.MaxFilters {
		return dst, proto.ErrTooManyFilters
	}
	at = len(dst)
	if dst, err = m.AppendBody(dst); err != nil {
		return dst, err
	}
	if dst, err = proto.Filter(dst, at, m); err != nil {
		return dst, err
	}
	dst = pbwire.CloseBytes(dst, at, fieldBody)
	at = len(dst)
	dst = pbwire.CloseBytes(pipe.AppendIDs(dst), at, fieldFilters)
	if m.StatusOK() {
		return dst, nil
	}
	at = len(dst)
	dst = m.AppendStatus(dst)
	if err = proto.CheckHeaderPart("status", len(dst)-at); err != nil {
		return dst, err
	}
	return pbwire.CloseBytes(dst, at, fieldStatus), nil
}

// parsePayload parses the fields of a payload into m.
func parsePayload(payload []byte, m *message.Msg) error {
	var f pbwire.Fields
	if err := f.Scan(payload, fieldServiceMethod, errMethod); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	method, meta, stat := f.Bytes[fieldServiceMethod], f.Bytes[fieldMeta], f.Bytes[fieldStatus]
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
	body, err := proto.Unfilter(f.Bytes[fieldBody], f.Bytes[fieldFilters], m)
	if err != nil {
		return err
	}
	m.SetSeq(f.Ints[fieldSeq])
	m.SetMType(byte(f.Ints[fieldMType]))
	m.ParseServiceMethod(method)
	if err := m.ParseStatus(stat); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	if len(meta) > 0 {
		if err := m.ParseMeta(meta); err != nil {
			return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
		}
	}
	m.SetBodyCodec(byte(f.Ints[fieldBodyCodec]))
	return m.UnmarshalBody(body)
}
