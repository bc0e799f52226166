package pbproto_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/osgochina/dmicro/drpc/message"
	wire "github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/status"
)

var kit = prototest.Kit{New: pbproto.NewPbProtoFunc()}

func TestMain(m *testing.M) {
	prototest.RegisterFilters()
	os.Exit(m.Run())
}

var goldens = []prototest.GoldenFrame{
	{Name: "call", Message: func() message.Message { return prototest.Call(1, message.WithSetMeta("k", "v")) }},
	{Name: "call_seq_minus_1", Message: func() message.Message { return prototest.Call(-1) }},
}

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	kit.Goldens(t, goldens, 4)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	kit.Version(t, 112, "protobuf")
}

func TestPackingIsDeterministic(t *testing.T) {
	t.Parallel()
	kit.Deterministic(t)
}

// payloadType is the message as older peers declare it, in no registry.
func payloadType(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	field := func(n int32, name string, typ descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), JsonName: proto.String(name), Number: proto.Int32(n), Type: typ.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	const (
		i32, str, raw = descriptorpb.FieldDescriptorProto_TYPE_INT32, descriptorpb.FieldDescriptorProto_TYPE_STRING,
			descriptorpb.FieldDescriptorProto_TYPE_BYTES
	)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("payload.proto"), Package: proto.String("pb"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("payload"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field(1, "seq", i32), field(2, "mtype", i32), field(3, "serviceMethod", str), field(4, "status", raw),
				field(5, "meta", raw), field(6, "bodyCodec", i32), field(7, "body", raw),
			},
		}},
	}, new(protoregistry.Files))
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().Get(0)
}

// frame puts a frame without filters around a payload.
func frame(payload []byte) []byte {
	n := len(payload) + 1
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0}, payload...)
}

func TestPayloadIsWhatProtocolBuffersWrite(t *testing.T) {
	t.Parallel()
	desc := payloadType(t)
	for name, m := range map[string]message.Message{
		"call":      prototest.Call(1),
		"all zero":  message.NewMessage(),
		"minimum":   prototest.Call(math.MinInt32, message.WithMType(255), func(m message.Message) { m.SetBodyCodec(255) }, message.WithBody([]byte("x"))),
		"error":     prototest.Failed(7, status.New(404, "Not Found", "c")),
		"body 127":  prototest.Call(3, message.WithBody(bytes.Repeat([]byte("x"), 127))),
		"body 128":  prototest.Call(3, message.WithBody(bytes.Repeat([]byte("x"), 128))),
		"body 1MiB": prototest.Call(3, message.WithBody(bytes.Repeat([]byte{0xff}, 1<<20))),
		"long meta": prototest.Call(3, message.WithSetMeta("k", strings.Repeat("é", 20000))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			payload := kit.Pack(t, m)[5:]
			theirs := dynamicpb.NewMessage(desc)
			if err := proto.Unmarshal(payload, theirs); err != nil {
				t.Fatal(err)
			}
			if len(theirs.GetUnknown()) > 0 {
				t.Errorf("unknown fields %x", theirs.GetUnknown())
			}
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(theirs)
			if err != nil || !bytes.Equal(again, payload) {
				t.Errorf("%v: they write\n%.100x, we\n%.100x", err, again, payload)
			}
			get := func(n protoreflect.FieldNumber) protoreflect.Value { return theirs.Get(desc.Fields().ByNumber(n)) }
			if get(1).Int() != int64(m.Seq()) || get(2).Int() != int64(m.MType()) || get(6).Int() != int64(m.BodyCodec()) {
				t.Errorf("they read %v", theirs)
			}
			if body, _ := m.MarshalBody(); !bytes.Equal(get(7).Bytes(), body) {
				t.Errorf("they read the body %.100q", get(7).Bytes())
			}
		})
	}
}

// Two packages that register one name end the process before main begins.
func TestNothingIsRegistered(t *testing.T) {
	t.Parallel()
	if _, err := protoregistry.GlobalFiles.FindFileByPath("payload.proto"); !errors.Is(err, protoregistry.NotFound) {
		t.Errorf("file: %v", err)
	}
	if _, err := protoregistry.GlobalTypes.FindMessageByName("pb.payload"); !errors.Is(err, protoregistry.NotFound) {
		t.Errorf("message: %v", err)
	}
}

// fields builds a payload field by field; status and meta are there unless they are given.
type fields []byte

func (f fields) varint(n protowire.Number, v uint64) fields {
	return protowire.AppendVarint(protowire.AppendTag(f, n, protowire.VarintType), v)
}

func (f fields) bytes(n protowire.Number, v string) fields {
	return protowire.AppendString(protowire.AppendTag(f, n, protowire.BytesType), v)
}

func TestWhatIsReadBesideOurOwnForm(t *testing.T) {
	t.Parallel()
	base := slices.Clip(fields(nil).varint(1, 5).varint(2, 1).bytes(3, "/m").bytes(5, "{}"))
	for name, payload := range map[string]fields{
		"no status":                   base,
		"null status and meta":        base.bytes(4, "null").bytes(5, "null"),
		"other order":                 fields(nil).bytes(5, "{}").bytes(3, "/m").varint(2, 1).varint(1, 5),
		"unknown varint":              base.varint(99, 1),
		"unknown bytes":               base.bytes(8, "ids"),
		"unknown fixed":               protowire.AppendFixed64(protowire.AppendTag(base, 77, protowire.Fixed64Type), 1),
		"unknown group":               protowire.AppendTag(fields(protowire.AppendTag(base, 70, protowire.StartGroupType)).varint(1, 9), 70, protowire.EndGroupType),
		"another wire type":           protowire.AppendFixed32(protowire.AppendTag(base, 1, protowire.Fixed32Type), 9),
		"seq as bytes":                base.bytes(1, "9"),
		"the last one counts":         fields(nil).varint(1, 4).bytes(3, "/other").bytes(5, "%").varint(2, 3).varint(1, 5).varint(2, 1).bytes(3, "/m").bytes(5, "{}"),
		"seq with bits above 32":      fields(nil).varint(1, 1<<40|5).varint(2, 1).bytes(3, "/m").bytes(5, "{}"),
		"seq in more bytes than need": append(fields{0x08, 0x85, 0x80, 0x00}, base[2:]...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, got := range kit.Parse(t, frame(payload), nil) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				if got.Seq() != 5 || got.MType() != 1 || got.ServiceMethod() != "/m" || !got.StatusOK() || got.Meta().Size() != 0 {
					t.Errorf("%s: %v", how, got)
				}
			}
		})
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	t.Parallel()
	base := slices.Clip(fields(nil).varint(1, 5).varint(2, 1).bytes(3, "/m").bytes(5, "{}"))
	for name, payload := range map[string]fields{
		"nothing":                fields(nil), // an empty meta is none
		"meta missing":           fields(nil).varint(1, 5).varint(2, 1),
		"meta empty":             base.bytes(5, ""),
		"meta is no object":      base.bytes(5, "[]"),
		"status is no JSON":      base.bytes(4, "%"),
		"status in no quoting":   base.bytes(4, `{"code":1,"msg":"\x0","cause":""}`),
		"method is not UTF-8":    base.bytes(3, "\xff"),
		"an earlier method is":   base.bytes(3, "\xff").bytes(3, "/m"),
		"field number too high":  append(protowire.AppendVarint(base, (uint64(protowire.MaxValidNumber)+1)<<3), 1),
		"type above a byte":      base.varint(2, 256),
		"type below zero":        base.varint(2, math.MaxUint64),
		"codec above a byte":     base.varint(6, 1<<20),
		"tag cut":                append(base, 0x80),
		"field number 0":         append(base, 0x00, 0x01),
		"varint cut":             append(base, 0x08, 0x80),
		"varint of 11 bytes":     append(base, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"length cut":             append(base, 0x3a),
		"length above the frame": append(base, 0x3a, 0x05, 'x'),
		"length near 2^64":       append(base, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"fixed cut":              append(base, 0x09, 1, 2, 3),
		"wire type 7":            append(base, 0x0f),
		"group that never ends":  append(base, bytes.Repeat([]byte{0x0b}, 1<<16)...),
		"group end alone":        append(base, 0x0c),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, got := range kit.Parse(t, frame(payload), nil) {
				if !errors.Is(got.Err, wire.ErrMalformed) {
					t.Errorf("%s: %v", how, got.Err)
				}
			}
		})
	}
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	kit.Refuses(t, "protobuf proto: ", map[string]prototest.Refusal{
		"method is not UTF-8": {With: message.WithServiceMethod("\xff"), Want: pbproto.ErrNotText},
	})
}

func TestLongHeaderPartsAreNotTaken(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" ", wire.MaxHeaderPart+1)
	base := slices.Clip(fields(nil).varint(1, 5).varint(2, 1).bytes(3, "/m").bytes(5, "{}"))
	for name, payload := range map[string]fields{
		"method": base.bytes(3, long), "status": base.bytes(4, long+"null"), "meta": base.bytes(5, long+"{}"),
	} {
		for how, got := range kit.Parse(t, frame(payload), nil) {
			if !errors.Is(got.Err, wire.ErrHeaderTooLong) {
				t.Errorf("%s %s: %v", name, how, got.Err)
			}
		}
	}
}

func TestStatusOfOlderPeerIsRead(t *testing.T) {
	t.Parallel()
	kit.OlderStatus(t)
}

func TestLimitHoldsBeforeFiltersToo(t *testing.T) {
	t.Parallel()
	kit.LimitBeforeFilters(t)
}
