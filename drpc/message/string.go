package message

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// String returns the message as one JSON object, for logs and debugging. It contains meta and body.
func (m *Msg) String() string {
	b := make([]byte, 0, 256)
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, int64(m.seq), 10)
	b = append(b, `,"mtype":`...)
	b = strconv.AppendUint(b, uint64(m.mtype), 10)
	b = append(b, `,"serviceMethod":`...)
	b = appendJSONString(b, m.ServiceMethod())
	b = append(b, `,"status":`...)
	b = m.AppendStatus(b)
	b = append(b, `,"meta":`...)
	b = m.AppendMetaText(b)
	b = append(b, `,"bodyCodec":`...)
	b = strconv.AppendUint(b, uint64(m.bodyCodec), 10)
	b = append(b, `,"body":`...)
	b = m.AppendBodyText(b)
	b = append(b, `,"tfilterPipe":[`...)
	for i, id := range m.pipe.IDs() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	b = append(b, `],"size":`...)
	b = strconv.AppendUint(b, uint64(m.size), 10)
	return string(append(b, '}'))
}

// AppendMetaText appends the meta as JSON for a log line; what cannot be encoded is quoted.
func (m *Msg) AppendMetaText(dst []byte) []byte {
	out, err := m.AppendMeta(dst)
	if err != nil {
		return appendJSONString(dst, err.Error())
	}
	return out
}

// AppendBodyText appends the body for a log line: bytes that are JSON as they are, other bytes quoted, and other
// values as encoding/json writes them. A value whose own methods panic costs its text and nothing else.
func (m *Msg) AppendBodyText(dst []byte) (out []byte) {
	defer func() {
		if r := recover(); r != nil {
			out = appendJSONString(dst, fmt.Sprintf("%T: panic: %v", m.body, r))
		}
	}()
	var raw []byte
	switch body := m.body.(type) {
	case nil:
		raw = m.from().body
		if len(raw) == 0 {
			return append(dst, "null"...)
		}
	case []byte:
		raw = body
	case *[]byte:
		if body != nil {
			raw = *body
		}
	case unencodable:
		return appendJSONString(dst, body.String())
	default:
		text, err := json.Marshal(body)
		if err != nil {
			// Not the value: formatting one that contains itself would never end.
			return appendJSONString(dst, fmt.Sprintf("%T: %v", body, err))
		}
		return append(dst, text...)
	}
	if json.Valid(raw) {
		return append(dst, raw...)
	}
	if !utf8.Valid(raw) {
		return appendJSONString(dst, fmt.Sprintf("%q", raw))
	}
	return appendJSONString(dst, string(raw))
}

func appendJSONString(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string always encodes; the branch keeps the error from vanishing
		return strconv.AppendQuote(dst, s)
	}
	return append(dst, text...)
}
