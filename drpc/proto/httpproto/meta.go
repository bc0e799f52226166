package httpproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
)

// The headers that this protocol itself writes or reads.
const (
	headerAcceptEncoding   = "Accept-Encoding"
	headerConnection       = "Connection"
	headerContentEncoding  = "Content-Encoding"
	headerContentLength    = "Content-Length"
	headerContentType      = "Content-Type"
	headerExpect           = "Expect"
	headerHost             = "Host"
	headerTransferEncoding = "Transfer-Encoding"
	headerUserAgent        = "User-Agent"
	headerFilter           = "X-Content-Encoding"
	headerMType            = "X-Mtype"
	headerSeq              = "X-Seq"
)

// Indexes of ownHeaders.
const (
	ownContentType = iota
	ownContentEncoding
	ownConnection
	ownFilter
	ownMType
	ownSeq
	ownCount // the others are looked at nowhere, or by framing
)

// ownHeaders are the headers that are never meta: they say how this one frame is to be read.
var ownHeaders = [...]string{
	ownContentType: headerContentType, ownContentEncoding: headerContentEncoding, ownConnection: headerConnection,
	ownFilter: headerFilter, ownMType: headerMType, ownSeq: headerSeq,
	ownCount: headerContentLength, headerTransferEncoding, headerExpect, "Keep-Alive", "Te", "Trailer", "Upgrade",
}

// ownIndex returns the index of a header in ownHeaders, -1 if it is meta. Those from ownCount on have one index.
func ownIndex[T string | []byte](name T) int {
	for i, own := range ownHeaders {
		if same(name, own) {
			return min(i, ownCount)
		}
	}
	return -1
}

// metaKeys are the keys with a meaning to the framework, its clients and its plugins: of the session, heartbeat, client,
// proxy and securebody.
var metaKeys = [...]string{
	message.MetaRealIP, message.MetaAcceptBodyCodec, message.MetaTimeout, "hb_", "X-Idempotent", "X-Proxy-Hops",
	"X-Secure-Body", "X-Reply-Secure-Body", "X-Secure-Challenge",
}

// metaKey is the meta key that a header stands for: its name as it came. Only the keys of the framework are what they are
// whatever the case, which clients and proxies between change at will.
func metaKey(name []byte) []byte {
	for _, key := range metaKeys {
		if same(name, key) && string(name) != key { // peers spell most of them as they are
			return []byte(key)
		}
	}
	return name
}

var emptyMeta = []byte("{}")

// setMeta makes the fields the meta of m, as the JSON object that it would be in another protocol. A value that comes
// several times is one list; of a pair in the query and in a header the header counts.
func setMeta(m *message.Msg, query, headers []field) error {
	if len(query) == 0 && len(headers) == 0 {
		return m.ParseMeta(emptyMeta)
	}
	size := len("{}")
	for _, list := range [...][]field{query, headers} {
		for _, f := range list {
			size += len(f.name) + len(f.value) + len(`"":"",`)
		}
	}
	raw := append(make([]byte, 0, size), '{')
	for i := range query {
		if indexOf(query[i+1:], query[i].name) < 0 && indexOf(headers, query[i].name) < 0 {
			raw = appendPair(raw, query[i].name, query[i].value)
		}
	}
	for i, f := range headers {
		if f.name == nil { // joined to one before
			continue
		}
		for j := i + 1; j < len(headers); j++ {
			if bytes.EqualFold(headers[j].name, f.name) {
				f.value = bytes.Join([][]byte{f.value, headers[j].value}, []byte(", "))
				headers[j].name = nil
			}
		}
		raw = appendPair(raw, metaKey(f.name), f.value)
	}
	if len(raw) == 1 {
		raw = append(raw, '}')
	} else {
		raw[len(raw)-1] = '}'
	}
	return m.ParseMeta(raw)
}

func indexOf(list []field, name []byte) int {
	for i, f := range list {
		if f.name != nil && bytes.EqualFold(f.name, name) {
			return i
		}
	}
	return -1
}

func appendPair(dst, key, value []byte) []byte {
	dst = append(appendJSON(dst, key), ':')
	return append(appendJSON(dst, value), ',')
}

// appendJSON appends s as a JSON string.
func appendJSON(dst, s []byte) []byte {
	plain := utf8.Valid(s)
	for _, c := range s {
		plain = plain && c >= ' ' && c != '"' && c != '\\'
	}
	if !plain {
		if out, err := (codec.JSONCodec{}).AppendMarshal(dst, string(s)); err == nil { // a string always encodes
			return out
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// header is a header to be sent.
type header struct {
	name, value string
	number      int64 // the value, where value is empty and numeric
	numeric     bool
}

// appendMetaHeaders appends the meta of m as headers. What a header cannot carry is refused: a receiver would see
// another value, or another frame.
func appendMetaHeaders(dst []header, m *message.Msg) ([]header, error) {
	if m.MetaLen() == 0 {
		return dst, nil
	}
	fixed := len(dst)
	var err error
	m.Meta().Iterator(func(k, v any) bool {
		var h header
		if h, err = metaHeader(k, v); err != nil {
			return false
		}
		for i, have := range dst {
			switch {
			case have.name != h.name:
			case i >= fixed:
				err = unsupported("http proto: meta has two keys that are the header " + h.name)
				return false
			default: // one that programs may choose, such as Host
				dst[i].value = h.value
				return true
			}
		}
		dst = append(dst, h)
		return true
	})
	return dst, err
}

func metaHeader(k, v any) (h header, err error) {
	key, ok := k.(string)
	if !ok {
		key = fmt.Sprint(k)
	}
	h = header{name: canonical(key)}
	if h.value, ok = v.(string); !ok {
		if h.value, err = jsonText(v); err != nil {
			return h, fmt.Errorf("http proto: meta %q: %w", key, err)
		}
	}
	switch {
	case !validName(key):
		err = unsupported(fmt.Sprintf("http proto: meta key %q is no header name", key))
	case ownIndex(key) >= 0:
		err = unsupported("http proto: meta key " + h.name + " is a header of the protocol itself")
	case !validValue(h.value):
		err = unsupported("http proto: the value of meta key " + key + " has control characters")
	case len(trimBlanks(h.value)) < len(h.value):
		err = unsupported("http proto: the value of meta key " + key + " begins or ends with a blank")
	}
	return h, err
}

// jsonText returns v as JSON, without the quotes and escapes if that is a string.
func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil || text[0] != '"' {
		return string(text), err
	}
	var s string
	err = json.Unmarshal(text, &s)
	return s, err
}
