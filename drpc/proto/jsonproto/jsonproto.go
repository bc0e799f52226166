// Package jsonproto is a protocol whose frames hold one JSON object each.
//
// The outer frame is that of package lenframe: a length, the transfer filters, the payload. The payload is one object
// with these keys in this order and no spaces:
//
//	{"seq":1,"mtype":1,"serviceMethod":"/math/add","status":"S","meta":"M","bodyCodec":106,"body":"B"}
//
// S, M and B are strings: the JSON text of the status, that of the meta, and the encoded body. A body must therefore be
// UTF-8; what is not is refused with [ErrNotText] and not sent. docs/wire/json.md shows a frame byte by byte, says what
// is read beside that form, and how frames of older peers are repaired, whose bodies are not escaped properly.
//
// The functions may be used concurrently.
package jsonproto

import (
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/lenframe"
)

const (
	id   byte = 'j'
	name      = "json"
)

// ErrNotText is what packing a message gives whose body or service method is not UTF-8: a JSON string cannot hold it.
// A codec that makes text, or another protocol, can carry such data. It is the one of all protocols.
var ErrNotText = proto.ErrNotText

var format = &lenframe.Format{ID: id, Name: name, Append: appendPayload, Parse: parsePayload}

// NewJSONProtoFunc returns what makes the protocol instance of one session.
func NewJSONProtoFunc() proto.ProtoFunc { return format.New }
