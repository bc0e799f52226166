package jsonSubProto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/jsontext"
)

// object is a frame taken apart, its strings decoded.
type object struct {
	payload.JSONHeader
	body, ids []byte
	// old is the body as an older peer may have meant it, who escapes nothing but quotes; nil if there is no doubt.
	old []byte
}

// parseObject parses a frame into m. The form that appendObject writes is read where it lies, everything else by
// encoding/json; what is no JSON may still be of an older peer.
func parseObject(frame []byte, m *message.Msg) error {
	var o object
	switch text := utf8.Valid(frame); {
	case text && o.scan(frame):
	case text && json.Valid(frame):
		if err := o.decode(frame); err != nil {
			return err
		}
	case o.scanOld(frame):
	default:
		return fmt.Errorf("%w: %w", proto.ErrMalformed, errNoObject)
	}
	return o.fill(m)
}

// fill sets m to what the object says.
func (o *object) fill(m *message.Msg) error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.old != nil && !json.Valid(o.body) && json.Valid(o.old) {
		o.body = o.old
	}
	body, err := proto.Unfilter(o.body, o.ids, m)
	if err != nil {
		return err
	}
	o.SetTo(m)
	return m.UnmarshalBody(body)
}

// scan takes apart the one form that this package writes. It refuses everything else, and only then has not changed the
// frame.
func (o *object) scan(frame []byte) bool {
	s := jsontext.Scanner{Rest: frame}
	s.Word(`{"seq":`)
	o.Seq = int32(s.Number(math.MinInt32, math.MaxInt32))
	s.Word(`,"mtype":`)
	o.MType = byte(s.Number(0, math.MaxUint8))
	s.Word(`,"serviceMethod":`)
	o.Method = s.Text()
	s.Word(`,"meta":`)
	o.Meta = s.Text()
	s.Word(`,"bodyCodec":`)
	o.BodyCodec = byte(s.Number(0, math.MaxUint8))
	s.Word(`,"body":`)
	o.body = s.Text()
	s.Word(`,"ptf":`)
	o.ids = ids(&s)
	if !s.Bad && len(s.Rest) > 1 {
		s.Word(`,"status":`)
		o.Status = s.Text()
	}
	if s.Word(`}`); s.Bad || len(s.Rest) > 0 {
		*o = object{}
		return false
	}
	o.doubt(o.body)
	o.Method, o.Meta, o.Status, o.body = unescape(o.Method), unescape(o.Meta), unescape(o.Status), unescape(o.body)
	return true
}

// doubt keeps the other reading of a body, before it is decoded.
func (o *object) doubt(content []byte) {
	if o.BodyCodec == codec.JsonId && len(o.ids) == 0 && jsontext.EscapesMore(content) {
		o.old = jsontext.UnescapeQuotes(content)
	}
}

// decode takes any JSON object apart.
func (o *object) decode(frame []byte) error {
	var w struct {
		Seq           int32           `json:"seq"`
		MType         byte            `json:"mtype"`
		ServiceMethod string          `json:"serviceMethod"`
		Meta          json.RawMessage `json:"meta"`
		BodyCodec     byte            `json:"bodyCodec"`
		Body          json.RawMessage `json:"body"`
		PTF           []uint16        `json:"ptf"`
		Status        json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(frame, &w); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	for _, id := range w.PTF {
		if id > math.MaxUint8 {
			return fmt.Errorf("%w: transfer filter %d", proto.ErrMalformed, id)
		}
		o.ids = append(o.ids, byte(id))
	}
	o.Seq, o.MType, o.BodyCodec, o.Method = w.Seq, w.MType, w.BodyCodec, []byte(w.ServiceMethod)
	if len(w.Body) > 0 && w.Body[0] == '"' {
		o.doubt(w.Body[1 : len(w.Body)-1])
	}
	o.Meta, o.body, o.Status = text(w.Meta), text(w.Body), text(w.Status)
	return nil
}

// text returns a JSON string decoded, another JSON value as it is, and null as nothing.
func text(value []byte) []byte {
	var s string
	switch {
	case len(value) == 0 || string(value) == "null":
		return nil
	case value[0] != '"' || json.Unmarshal(value, &s) != nil:
		return value
	}
	return []byte(s)
}

// scanOld takes apart what an older peer writes: strings of the header quoted as Go source is, and a body in which nothing
// is escaped but quotes. It ends at the last place where the filters can begin.
func (o *object) scanOld(frame []byte) bool {
	end := bytes.LastIndex(frame, []byte(`","ptf":[`))
	if end < 0 {
		return false
	}
	s := jsontext.Scanner{Rest: frame[:end]}
	s.Word(`{"seq":`)
	o.Seq = int32(s.Number(math.MinInt32, math.MaxInt32))
	s.Word(`,"mtype":`)
	o.MType = byte(s.Number(0, math.MaxUint8))
	s.Word(`,"serviceMethod":`)
	o.Method = s.GoText()
	s.Word(`,"meta":`)
	o.Meta = s.GoText()
	s.Word(`,"bodyCodec":`)
	o.BodyCodec = byte(s.Number(0, math.MaxUint8))
	s.Word(`,"body":"`)
	if s.Bad {
		return false
	}
	o.body = jsontext.UnescapeQuotes(s.Rest)
	tail := jsontext.Scanner{Rest: frame[end+len(`","ptf":`):]}
	o.ids = ids(&tail)
	tail.Word(`}`)
	return !tail.Bad && len(tail.Rest) == 0
}

// unescape decodes the content of a string where it lies.
func unescape(content []byte) []byte { return jsontext.Unescape(content[:0], content) }

// ids reads an array of bytes.
func ids(s *jsontext.Scanner) (ids []byte) {
	s.Word(`[`)
	for !s.Bad && len(s.Rest) > 0 && s.Rest[0] != ']' {
		if len(ids) > 0 {
			s.Word(`,`)
		}
		ids = append(ids, byte(s.Number(0, math.MaxUint8)))
	}
	s.Word(`]`)
	return ids
}
