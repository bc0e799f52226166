// Package jsonSubProto is the json sub-protocol of websockets, the one that browsers speak: each message of WebSocket holds
// one JSON object, with these keys in this order and no spaces:
//
//	{"seq":1,"mtype":1,"serviceMethod":"/math/add","meta":"M","bodyCodec":106,"body":"B","ptf":[],"status":"S"}
//
// M, B and S are strings: the JSON text of the meta, the encoded body, the JSON text of the status. There is a status only
// if it is not OK. DMicro 1.x peers know no status: they ignore it, and send none. ptf are the ids of the transfer filters
// of the body; as their output must be text, none of the framework's can be used: [ErrBinaryFilter].
//
// What is read besides: keys in any order, unknown ones ignored, missing ones zero; meta, body and status as JSON values in
// place of strings; and bodies of DMicro 1.x peers, which escape nothing but quotes.
//
// The functions may be used concurrently.
package jsonSubProto

import (
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/drpc/mixer/websocket/internal/wsframe"
	"github.com/osgochina/dmicro/drpc/proto"
)

const (
	id   byte = 'j'
	name      = "json"
)

// ErrBinaryFilter is what packing a message gives, and matches proto.ErrNotText, that has a transfer filter whose output
// a JSON string cannot hold. Another sub-protocol can carry it.
var ErrBinaryFilter = fmt.Errorf("a transfer filter makes a body: %w", proto.ErrNotText)

var errNoObject = errors.New("not a JSON object")

var format = &wsframe.Format{ID: id, Name: name, Append: appendObject, Parse: parseObject}

// NewJSONSubProtoFunc returns what makes the protocol instance of one session. It is of use only inside a websocket, which
// knows where a message ends.
func NewJSONSubProtoFunc() proto.ProtoFunc { return format.New }
