package jsonproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/jsontext"
)

// object is a payload taken apart, its strings decoded save for the body.
type object struct {
	payload.JSONHeader
	// body is the encoded body itself or, if escaped, the content of the JSON string that holds it.
	body    []byte
	escaped bool
}

// parsePayload parses an object into m. The form that appendPayload writes is read where it lies; everything else is
// read by encoding/json; what is no JSON at all may still be a frame of an older peer.
func parsePayload(payload []byte, m *message.Msg) error {
	var (
		o   object
		err error
	)
	switch text := utf8.Valid(payload); {
	case text && o.scan(payload):
	case text && json.Valid(payload):
		err = o.decode(payload)
	case o.scanOld(payload):
	default:
		err = fmt.Errorf("%w: not a JSON object", proto.ErrMalformed)
	}
	if err != nil {
		return err
	}
	return o.fill(m)
}

// fill sets m to what the object says.
func (o *object) fill(m *message.Msg) error {
	if err := o.Check(); err != nil {
		return err
	}
	o.SetTo(m)
	return m.UnmarshalBody(o.decodeBody())
}

// decodeBody returns the encoded body. Older peers escape nothing but quotes, so that the backslashes of a JSON body
// make another text of it. Where that text is no JSON any more the body is read as such a peer means it.
func (o *object) decodeBody() []byte {
	if !o.escaped {
		return o.body
	}
	if o.BodyCodec != codec.JsonId || !jsontext.EscapesMore(o.body) {
		return jsontext.Unescape(o.body[:0], o.body)
	}
	body := jsontext.Unescape(make([]byte, 0, len(o.body)), o.body)
	if json.Valid(body) {
		return body
	}
	if old := jsontext.UnescapeQuotes(o.body); json.Valid(old) {
		return old
	}
	return body
}

// decode takes any JSON object apart: keys in any order, unknown ones ignored, missing ones zero; status, meta and body
// as strings or as JSON values.
func (o *object) decode(payload []byte) error {
	var w struct {
		Seq           int32           `json:"seq"`
		MType         byte            `json:"mtype"`
		ServiceMethod string          `json:"serviceMethod"`
		Status        json.RawMessage `json:"status"`
		Meta          json.RawMessage `json:"meta"`
		BodyCodec     byte            `json:"bodyCodec"`
		Body          json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(payload, &w); err != nil {
		return fmt.Errorf("%w: %w", proto.ErrMalformed, err)
	}
	o.Seq, o.MType, o.BodyCodec, o.Method = w.Seq, w.MType, w.BodyCodec, []byte(w.ServiceMethod)
	o.Status, o.Meta = text(w.Status), text(w.Meta)
	o.body, o.escaped = content(w.Body)
	return nil
}

// text returns the content of a JSON string decoded, another JSON value as it is, and null as nothing.
func text(value []byte) []byte {
	inner, escaped := content(value)
	if escaped {
		return jsontext.Unescape(inner[:0], inner)
	}
	return inner
}

// content is text that leaves the content of a string escaped.
func content(value []byte) (inner []byte, escaped bool) {
	switch {
	case len(value) > 0 && value[0] == '"':
		return value[1 : len(value)-1], true
	case bytes.Equal(value, []byte("null")):
		return nil, false
	}
	return value, false
}
