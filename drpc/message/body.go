package message

import (
	"slices"

	"github.com/osgochina/dmicro/drpc/codec"
)

// BodyCodec returns the codec id of the body.
func (m *Msg) BodyCodec() byte { return m.bodyCodec }

// SetBodyCodec sets the codec id of the body.
func (m *Msg) SetBodyCodec(id byte) { m.bodyCodec = id }

// Body returns the body.
func (m *Msg) Body() any { return m.body }

// SetBody sets the body.
func (m *Msg) SetBody(body any) { m.body = body }

// SetNewBody sets the function that makes the body from the header.
func (m *Msg) SetNewBody(fn NewBodyFunc) { m.into().newBody = fn }

// MarshalBody encodes the body with its codec.
func (m *Msg) MarshalBody() ([]byte, error) {
	if m.sealer != nil {
		return m.appendSealed(nil)
	}
	switch body := m.body.(type) {
	case nil:
		return []byte{}, nil
	case []byte:
		return body, nil
	case *[]byte:
		if body == nil {
			return []byte{}, nil
		}
		return *body, nil
	case unencodable:
		return nil, body.err
	}
	return codec.Marshal(m.bodyCodec, m.body)
}

// AppendBody appends the encoded body to dst. On an error dst comes back with its old length.
func (m *Msg) AppendBody(dst []byte) ([]byte, error) {
	if m.sealer != nil {
		return m.appendSealed(dst)
	}
	return m.appendPlain(dst)
}

// appendPlain is AppendBody without a sealer.
func (m *Msg) appendPlain(dst []byte) ([]byte, error) {
	switch body := m.body.(type) {
	case nil:
		return dst, nil
	case []byte:
		return append(dst, body...), nil
	case *[]byte:
		if body == nil {
			return dst, nil
		}
		return append(dst, *body...), nil
	case unencodable:
		return dst, body.err
	}
	c, err := codec.Get(m.bodyCodec)
	if err != nil {
		return dst, err
	}
	out, err := codec.Append(dst, c, m.body)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// UnmarshalBody decodes bodyBytes into the body, which SetNewBody makes if SetBody gave none. In a message whose
// decoding is deferred it keeps the bytes for DecodeBody.
func (m *Msg) UnmarshalBody(bodyBytes []byte) error {
	if m.from().deferred {
		m.into().body = bodyBytes
		return nil
	}
	if newBody := m.from().newBody; m.body == nil && newBody != nil {
		m.body = newBody(m)
	}
	return m.unmarshal(bodyBytes)
}

// DeferBody makes UnmarshalBody keep the encoded bytes, for DecodeBody to decode later and on another goroutine. The
// bytes must stay unchanged until then.
func (m *Msg) DeferBody() { m.into().deferred = true }

// EncodedBody returns the received body as it came, nil when it was not deferred, or is not needed any more. A hook may
// look at it until it returns, and keeps a copy of what it wants to have later.
func (m *Msg) EncodedBody() []byte { return m.from().body }

// SetEncodedBody replaces the received bytes, as a hook does that decrypts them.
func (m *Msg) SetEncodedBody(raw []byte) { m.into().body = raw }

// ReceivedLen is how many bytes the parts of a received message take, as MoveReceived copies them.
func (m *Msg) ReceivedLen() int {
	in := m.from()
	return len(in.method) + len(in.meta) + len(in.body)
}

// MoveReceived appends the parts of a received message to dst, where they lie from then on: for who goes on with the
// message when the bytes that it was parsed from serve another one.
func (m *Msg) MoveReceived(dst []byte) []byte {
	if m.in == nil {
		return dst
	}
	dst = slices.Grow(dst, m.ReceivedLen())
	m.in.ownMeta = false
	for _, part := range []*[]byte{&m.in.method, &m.in.meta, &m.in.body} {
		if *part != nil {
			start := len(dst)
			dst = append(dst, *part...)
			*part = dst[start:len(dst):len(dst)]
		}
	}
	return dst
}

// DecodeBody decodes the deferred bytes into the body.
func (m *Msg) DecodeBody() error { return m.unmarshal(m.from().body) }

func (m *Msg) unmarshal(raw []byte) error {
	switch body := m.body.(type) {
	case nil:
		return nil
	case []byte:
		return nil
	case *[]byte:
		if body != nil {
			// A copy: raw lies in a buffer that serves another frame soon.
			*body = append(make([]byte, 0, len(raw)), raw...)
		}
		return nil
	}
	if len(raw) == 0 {
		return nil
	}
	return codec.Unmarshal(m.bodyCodec, raw, m.body)
}
