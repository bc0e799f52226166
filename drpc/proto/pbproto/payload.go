package pbproto

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
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
	dst = appendInt(dst, fieldSeq, m.Seq())
	dst = appendInt(dst, fieldMType, int32(m.MType()))

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
	dst = closeBytes(dst, at, fieldStatus)

	at = len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	if err = proto.CheckHeaderPart("meta", len(dst)-at); err != nil {
		return dst, err
	}
	dst = closeBytes(dst, at, fieldMeta)
	dst = appendInt(dst, fieldBodyCodec, int32(m.BodyCodec()))

	at = len(dst)
	if dst, err = m.AppendBody(dst); err != nil {
		return dst, err
	}
	return closeBytes(dst, at, fieldBody), nil
}

// appendInt appends a field of type int32. A negative one is extended to 64 bits, as the format demands.
func appendInt(dst []byte, field protowire.Number, v int32) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), uint64(int64(v)))
}

// closeBytes makes a field of b[at:], whose length was not known before. Moving it once costs less than to encode it
// elsewhere first.
func closeBytes(b []byte, at int, field protowire.Number) []byte {
	n := len(b) - at
	if n == 0 {
		return b
	}
	var room [1 + 10]byte // a tag of one byte and a varint
	head := protowire.AppendTag(room[:0], field, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(n))
	b = append(b, head...)
	copy(b[at+len(head):], b[at:at+n])
	copy(b[at:], head)
	return b
}

// fields is a payload taken apart.
type fields struct {
	seq                        int32
	mtype, codec               byte
	method, status, meta, body []byte
}

// parsePayload parses the fields of a payload into m.
func parsePayload(payload []byte, m *message.Msg) error {
	var f fields
	if err := f.scan(payload); err != nil {
		return err
	}
	if !utf8.Valid(f.method) {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, errMethod)
	}
	for _, part := range [...]struct {
		name string
		text []byte
	}{{"service method", f.method}, {"status", f.status}, {"meta", f.meta}} {
		if err := proto.CheckHeaderPart(part.name, len(part.text)); err != nil {
			return err
		}
	}
	m.SetSeq(f.seq)
	m.SetMType(f.mtype)
	m.ParseServiceMethod(f.method)
	if err := m.ParseStatus(f.status); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	if err := m.ParseMeta(f.meta); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	m.SetBodyCodec(f.codec)
	return m.UnmarshalBody(f.body)
}

// scan reads all fields. Of one that comes more than once the last counts; one of another wire type than it should
// have is an unknown one, and skipped. So Protocol Buffers wants it.
func (f *fields) scan(b []byte) error {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(n)
		}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(b); n >= 0 {
				if err := f.setInt(field, int32(v)); err != nil {
					return err
				}
			}
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				f.setBytes(field, v[:len(v):len(v)])
			}
		default:
			n = protowire.ConsumeFieldValue(field, typ, b)
		}
		if n < 0 {
			return malformed(n)
		}
		b = b[n:]
	}
	return nil
}

// setInt sets a field to what is an int32 for Protocol Buffers: the lower half of the number received.
func (f *fields) setInt(field protowire.Number, v int32) error {
	switch field {
	case fieldSeq:
		f.seq = v
	case fieldMType, fieldBodyCodec:
		if v < 0 || v > math.MaxUint8 {
			return fmt.Errorf("%w: %d in field %d", proto.ErrMalformed, v, field)
		}
		if field == fieldMType {
			f.mtype = byte(v)
		} else {
			f.codec = byte(v)
		}
	}
	return nil
}

func (f *fields) setBytes(field protowire.Number, v []byte) {
	switch field {
	case fieldServiceMethod:
		f.method = v
	case fieldStatus:
		f.status = v
	case fieldMeta:
		f.meta = v
	case fieldBody:
		f.body = v
	}
}

// malformed is the error of protowire with the code n.
func malformed(n int) error {
	return fmt.Errorf("%w: %w", proto.ErrMalformed, protowire.ParseError(n))
}
