package codec

import (
	"bytes"
	"encoding/json"
	"sync"
)

// Id and name of [JSONCodec].
const (
	JsonId   = 'j'
	JsonName = "json"
)

// JSONCodec is the codec of encoding/json, in both directions just as json.Marshal
// and json.Unmarshal work: <, > and & are escaped, no line feed at the end.
// Errors are those of encoding/json.
//
// Plain types and values take a shorter way, with the same outcome; which and why
// is in docs/adr/0009-json-codec.md.
type JSONCodec struct{}

// ID returns [JsonId].
func (JSONCodec) ID() byte { return JsonId }

// Name returns [JsonName].
func (JSONCodec) Name() string { return JsonName }

// Marshal is json.Marshal.
func (JSONCodec) Marshal(v any) ([]byte, error) {
	var short [256]byte // most plain values fit, so that one allocation makes the result
	if b, ok := appendPlainJSON(short[:0], v); ok {
		return bytes.Clone(b), nil
	}
	return json.Marshal(v)
}

// Unmarshal is json.Unmarshal. A type with an UnmarshalJSON of its own must
// copy what it keeps, as encoding/json demands.
func (JSONCodec) Unmarshal(data []byte, v any) error {
	if readPlainJSON(data, v) {
		return nil
	}
	return json.Unmarshal(data, v)
}

// AppendMarshal implements [Appender]. Besides what the value's own methods
// allocate it allocates only if dst is too small.
func (JSONCodec) AppendMarshal(dst []byte, v any) ([]byte, error) {
	if b, ok := appendPlainJSON(dst, v); ok {
		return b, nil
	}
	a := jsonAppenders.Get().(*jsonAppender)
	a.dst = dst
	err := a.enc.Encode(v)
	out := a.dst
	a.dst = nil
	jsonAppenders.Put(a)
	if err != nil {
		return dst, err
	}
	return out[:len(out)-1], nil // Encode ends every value with a line feed
}

// jsonAppender is an encoder that writes behind the bytes of dst. json.Marshal
// returns a fresh copy of its internal buffer; an encoder writes from it
// directly, and can be kept.
type jsonAppender struct {
	enc *json.Encoder
	dst []byte
}

var jsonAppenders = sync.Pool{New: func() any {
	a := new(jsonAppender)
	a.enc = json.NewEncoder(a)
	return a
}}

// Write implements io.Writer for the encoder. It cannot fail, so that the
// encoder never gets stuck with an error.
func (a *jsonAppender) Write(p []byte) (int, error) {
	a.dst = append(a.dst, p...)
	return len(p), nil
}
