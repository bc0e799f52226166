package payload

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/pbwire"
)

// Numbers of the fields that have the same one everywhere.
const (
	fieldSeq protowire.Number = iota + 1
	fieldMType
	fieldServiceMethod
)

// Fields are the numbers of those that have one of their own in each protocol, none above pbwire.MaxField. Those of
// sequence number, type and service method are 1, 2 and 3. A field that is zero or empty is not written.
type Fields struct {
	Status, Meta, BodyCodec, Body protowire.Number
	// Filters is the field with the ids of the transfer filters, through which the body alone goes; 0 where the frame
	// around the payload has them.
	Filters protowire.Number
	// NeedsMeta says that a payload without a meta is malformed.
	NeedsMeta bool
}

var errMethod = fmt.Errorf("service method: %w", proto.ErrNotText)

// AppendHead appends sequence number, type and service method of m to dst.
func (f *Fields) AppendHead(dst []byte, m *message.Msg) ([]byte, error) {
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
	return dst, nil
}

// AppendStatus appends the status of m to dst.
func (f *Fields) AppendStatus(dst []byte, m *message.Msg) ([]byte, error) {
	at := len(dst)
	dst = m.AppendStatus(dst)
	if err := proto.CheckHeaderPart("status", len(dst)-at); err != nil {
		return dst, err
	}
	return pbwire.CloseBytes(dst, at, f.Status), nil
}

// AppendMeta appends the meta of m to dst.
func (f *Fields) AppendMeta(dst []byte, m *message.Msg) ([]byte, error) {
	at := len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	if err = proto.CheckHeaderPart("meta", len(dst)-at); err != nil {
		return dst, err
	}
	return pbwire.CloseBytes(dst, at, f.Meta), nil
}

// AppendBody appends the codec of the body, the body, and the filters it went through, if they have a field.
func (f *Fields) AppendBody(dst []byte, m *message.Msg) ([]byte, error) {
	dst = pbwire.AppendInt(dst, f.BodyCodec, int32(m.BodyCodec()))
	pipe := m.PipeTFilter()
	if f.Filters != 0 && pipe.Len() > proto.MaxFilters {
		return dst, proto.ErrTooManyFilters
	}
	at := len(dst)
	dst, err := m.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	if f.Filters == 0 {
		return pbwire.CloseBytes(dst, at, f.Body), nil
	}
	if dst, err = proto.Filter(dst, at, m); err != nil {
		return dst, err
	}
	dst = pbwire.CloseBytes(dst, at, f.Body)
	at = len(dst)
	return pbwire.CloseBytes(pipe.AppendIDs(dst), at, f.Filters), nil
}

// Parse parses a payload into m, whose parts may alias it. What the format forbids is an error that matches
// proto.ErrMalformed, a part of the header that is too long one that matches proto.ErrHeaderTooLong.
func (f *Fields) Parse(payload []byte, m *message.Msg) error {
	var p pbwire.Fields
	if err := p.Scan(payload, fieldServiceMethod, errMethod); err != nil {
		return malformed(err)
	}
	method, stat, meta := p.Bytes[fieldServiceMethod], p.Bytes[f.Status], p.Bytes[f.Meta]
	if err := CheckHeader(method, stat, meta); err != nil {
		return err
	}
	for _, field := range [...]protowire.Number{fieldMType, f.BodyCodec} {
		if v := p.Ints[field]; v < 0 || v > math.MaxUint8 {
			return fmt.Errorf("%w: %d in field %d", proto.ErrMalformed, v, field)
		}
	}
	body := p.Bytes[f.Body]
	if f.Filters != 0 {
		var err error
		if body, err = proto.Unfilter(body, p.Bytes[f.Filters], m); err != nil {
			return err
		}
	}
	m.SetSeq(p.Ints[fieldSeq])
	m.SetMType(byte(p.Ints[fieldMType]))
	m.ParseServiceMethod(method)
	if err := m.ParseStatus(stat); err != nil {
		return malformed(err)
	}
	if len(meta) > 0 || f.NeedsMeta {
		if err := m.ParseMeta(meta); err != nil {
			return malformed(err)
		}
	}
	m.SetBodyCodec(byte(p.Ints[f.BodyCodec]))
	return m.UnmarshalBody(body)
}

func malformed(err error) error { return fmt.Errorf("%w: %w", proto.ErrMalformed, err) }
