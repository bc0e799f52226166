// Package pbSubProto is the protobuf sub-protocol of websockets: each message of WebSocket holds one message of Protocol
// Buffers, without a length in front. In proto3:
//
//	message payload {
//	  int32  seq           = 1;
//	  int32  mtype         = 2;
//	  string serviceMethod = 3;
//	  bytes  meta          = 4; // JSON
//	  int32  bodyCodec     = 5;
//	  bytes  body          = 6; // encoded, then passed through the transfer filters
//	  bytes  pipeTFilter   = 7; // ids of the transfer filters
//	  bytes  status        = 8; // JSON; absent means OK
//	}
//
// Fields are written in this order, those that are zero are left out, and unknown ones are skipped. DMicro 1.x peers know
// no status: they skip it, and send none. Nothing is registered with the protobuf library, under no name.
//
// The functions may be used concurrently.
package pbSubProto

import (
	"github.com/osgochina/dmicro/drpc/mixer/websocket/internal/wsframe"
	"github.com/osgochina/dmicro/drpc/proto"
)

const (
	id   byte = 'p'
	name      = "protobuf"
)

var format = &wsframe.Format{ID: id, Name: name, Append: appendPayload, Parse: fields.Parse}

// NewPbSubProtoFunc returns what makes the protocol instance of one session. It is of use only inside a websocket, which
// knows where a message ends.
func NewPbSubProtoFunc() proto.ProtoFunc { return format.New }
