// Package pbproto is a protocol whose frames hold one Protocol Buffers message each.
//
// The outer frame is that of package lenframe: a length, the transfer filters, the payload. The payload is, in proto3:
//
//	message payload {
//	  int32  seq           = 1;
//	  int32  mtype         = 2;
//	  string serviceMethod = 3;
//	  bytes  status        = 4; // JSON
//	  bytes  meta          = 5; // JSON
//	  int32  bodyCodec     = 6;
//	  bytes  body          = 7; // encoded
//	}
//
// Fields are written in this order, those that are zero are left out, and unknown ones are skipped. There is no
// generated code behind it: nothing is registered under a name that another package of the program could have too.
// docs/wire/protobuf.md shows a frame byte by byte.
//
// The functions may be used concurrently.
package pbproto

import (
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/lenframe"
)

const (
	id   byte = 'p'
	name      = "protobuf"
)

// ErrNotText is what packing a message gives whose service method is not UTF-8, as a string of proto3 must be. It is
// the one of all protocols.
var ErrNotText = proto.ErrNotText

var format = &lenframe.Format{ID: id, Name: name, Append: appendPayload, Parse: fields.Parse}

// NewPbProtoFunc returns what makes the protocol instance of one session.
func NewPbProtoFunc() proto.ProtoFunc { return format.New }
