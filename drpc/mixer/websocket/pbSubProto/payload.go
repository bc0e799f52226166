package pbSubProto

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
	fieldMeta
	fieldBodyCodec
	fieldBody
	fieldFilters
	fieldStatus
)

var errMethod = fmt.Errorf("service method: %w", proto.ErrNotText)

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
	at := len(dst)
	dst = closeBytes(append(dst, method...), at, fieldServiceMethod)

	at = len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	if err = proto.CheckHeaderPart("meta", len(dst)-at); err != nil {
		return dst, err
	}
	dst = appendInt(closeBytes(dst, at, fieldMeta), fieldBodyCodec, int32(m.BodyCodec()))

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
	dst = closeBytes(dst, at, fieldBody)
	at = len(dst)
	dst = closeBytes(pipe.AppendIDs(dst), at, fieldFilters)
	if m.StatusOK() {
		return dst, nil
	}
	at = len(dst)
	dst = m.AppendStatus(dst)
	if err = proto.CheckHeaderPart("status", len(dst)-at); err != nil {
		return dst, err
	}
	return closeBytes(dst, at, fieldStatus), nil
}

// appendInt appends a field of type int32. A negative one is extended to 64 bits, as the format demands.
func appendInt(dst []byte, field protowire.Number, v int32) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), uint64(int64(v)))
}

// closeBytes makes a field of b[at:], whose length was not known before.
func closeBytes(b []byte, at int, field protowire.Number) []byte {
	n := len(b) - at
	if n == 0 {
		return b
	}
	var room [1 + 10]byte // a tag of one byte and a varint
	head := protowire.AppendVarint(protowire.AppendTag(room[:0], field, protowire.BytesType), uint64(n))
	b = append(b, head...)
	copy(b[at+len(head):], b[at:at+n])
	copy(b[at:], head)
	return b
}

// fields is a payload taken apart.
type fields struct {
	ints  [fieldStatus + 1]int32
	bytes [fieldStatus + 1][]byte
}

// parsePayload parses the fields of a payload into m.
func parsePayload(payload []byte, m *message.Msg) error {
	var f fields
	if err := f.scan(payload); err != nil {
		return err
	}
	method, meta, stat := f.bytes[fieldServiceMethod], f.bytes[fieldMeta], f.bytes[fieldStatus]
	for _, part := range [...]struct {
		name string
		text []byte
	}{{"service method", method}, {"status", stat}, {"meta", meta}} {
		if err := proto.CheckHeaderPart(part.name, len(part.text)); err != nil {
			return err
		}
	}
	for _, field := range [...]protowire.Number{fieldMType, fieldBodyCodec} {
		if v := f.ints[field]; v < 0 || v > math.MaxUint8 {
			return fmt.Errorf("%w: %d in field %d", proto.ErrMalformed, v, field)
		}
	}
	body, err := proto.Unfilter(f.bytes[fieldBody], f.bytes[fieldFilters], m)
	if err != nil {
		return err
	}
	m.SetSeq(f.ints[fieldSeq])
	m.SetMType(byte(f.ints[fieldMType]))
	m.ParseServiceMethod(method)
	if err := m.ParseStatus(stat); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	if len(meta) > 0 {
		if err := m.ParseMeta(meta); err != nil {
			return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
		}
	}
	m.SetBodyCodec(byte(f.ints[fieldBodyCodec]))
	return m.UnmarshalBody(body)
}

// scan reads all fields. Of one that comes more than once the last counts; one of another wire type than it should have
// is an unknown one, and skipped. So Protocol Buffers wants it.
func (f *fields) scan(b []byte) error {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(n)
		}
		if field > protowire.MaxValidNumber {
			return fmt.Errorf("%w: field number %d", proto.ErrMalformed, field)
		}
		b = b[n:]
		switch known := field <= fieldStatus; {
		case known && typ == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			f.ints[field] = int32(v)
		case known && typ == protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			f.bytes[field] = v[:len(v):len(v)]
			if field == fieldServiceMethod && !utf8.Valid(v) {
				return fmt.Errorf("%w: %w", proto.ErrMalformed, errMethod)
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

// malformed is the error of protowire with the code n.
func malformed(n int) error {
	return fmt.Errorf("%w: %w", proto.ErrMalformed, protowire.ParseError(n))
}
