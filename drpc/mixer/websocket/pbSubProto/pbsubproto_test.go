package pbSubProto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

func TestMain(m *testing.M) {
	tfilter.RegGzip(5)
	tfilter.RegMD5()
	os.Exit(m.Run())
}

var framer = NewPbSubProtoFunc()(nil).(proto.Framer)

func newMessage(mtype byte, seq int32, method string, settings ...message.MsgSetting) *message.Msg {
	m := message.From(message.NewMessage(append([]message.MsgSetting{message.WithMType(mtype), message.WithServiceMethod(method)}, settings...)...))
	m.SetSeq(seq)
	return m
}

func call(settings ...message.MsgSetting) *message.Msg {
	return newMessage(message.TypeCall, 1, "/math/add", append([]message.MsgSetting{
		message.WithBodyCodec("json"), message.WithBody([]int{1, 2})}, settings...)...)
}

func parse(frame []byte) (*message.Msg, error) {
	m := message.From(message.NewMessage(message.WithBody(new([]byte))))
	m.SetSizeLimit(1 << 20)
	return m, framer.ParseFrame(bytes.Clone(frame), m)
}

func body(m *message.Msg) string { return string(*m.Body().(*[]byte)) }

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		m    *message.Msg
		want string
	}{
		"call": {call(message.WithSetMeta("k", "v")),
			"0801" + "1001" + "1a09" + hex.EncodeToString([]byte("/math/add")) + "2209" + hex.EncodeToString([]byte(`{"k":"v"}`)) +
				"286a" + "3205" + hex.EncodeToString([]byte("[1,2]"))},
		"call with md5": {call(message.WithTFilterPipe('5')),
			"0801" + "1001" + "1a09" + hex.EncodeToString([]byte("/math/add")) + "22027b7d" + "286a" +
				"3215" + hex.EncodeToString([]byte("[1,2]")) + "f79408e5ca998cd53faf44af31e6eb45" + "3a0135"},
		"reply of seq -1": {newMessage(message.TypeReply, -1, ""), "08ffffffffffffffffff01" + "1002" + "22027b7d"},
		"reply with a status, which they skip": {newMessage(message.TypeReply, 7, "", message.WithStatus(status.New(404, "Not Found"))),
			"0807" + "1002" + "22027b7d" + "4229" + hex.EncodeToString([]byte(`{"code":404,"msg":"Not Found","cause":""}`))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frame, err := framer.AppendFrame(nil, tt.m)
			if err != nil || hex.EncodeToString(frame) != tt.want || int(tt.m.Size()) != len(frame) {
				t.Fatalf("%x, size %d, %v, want\n%s", frame, tt.m.Size(), err, tt.want)
			}
			var w bytes.Buffer
			if err = NewPbSubProtoFunc()(&w).Pack(tt.m); err != nil || !bytes.Equal(w.Bytes(), frame) {
				t.Errorf("Pack: %x, %v", w.Bytes(), err)
			}
			back := message.From(message.NewMessage(message.WithBody(new([]byte))))
			if err = NewPbSubProtoFunc()(&w).Unpack(back); err != nil {
				t.Fatal(err)
			}
			if back.Seq() != tt.m.Seq() || back.MType() != tt.m.MType() || back.ServiceMethod() != tt.m.ServiceMethod() ||
				back.Status(true).String() != tt.m.Status(true).String() || tt.m.Body() != nil && body(back) != "[1,2]" {
				t.Errorf("read back: %v", back)
			}
		})
	}
}

func TestWhatCannotBeCarriedIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", proto.MaxHeaderPart+1)
	for name, tt := range map[string]struct {
		set  message.MsgSetting
		want error
	}{
		"method":          {message.WithServiceMethod("\xff"), proto.ErrNotText},
		"17 filters":      {message.WithTFilterPipe([]byte(strings.Repeat("z", proto.MaxFilters+1))...), proto.ErrTooManyFilters},
		"method too long": {message.WithServiceMethod(long), proto.ErrHeaderTooLong},
		"meta too long":   {message.WithSetMeta("k", long), proto.ErrHeaderTooLong},
		"status too long": {message.WithStatus(status.New(1, long)), proto.ErrHeaderTooLong},
		"above the limit": {func(m message.Message) { message.From(m).SetSizeLimit(20) }, message.ErrExceedMessageSizeLimit},
		"above, unpacked": {func(m message.Message) {
			m.SetBody(make([]byte, 5000))
			message.WithTFilterPipe('z')(m)
			message.From(m).SetSizeLimit(4999)
		}, message.ErrExceedMessageSizeLimit},
		"body of no codec": {message.WithBody(make(chan int)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := framer.AppendFrame([]byte("before"), call(tt.set))
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || string(out) != "before" {
				t.Errorf("%q, %v, want %v", out, err, tt.want)
			}
		})
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	t.Parallel()
	field := func(n protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), v)
	}
	for name, frame := range map[string][]byte{
		"cut short":       {0x08},
		"length too long": {0x32, 0x7f, 1},
		"field 0":         {0x00, 0x01},
		"mtype 256":       {0x10, 0x80, 0x02},
		"codec -1":        protowire.AppendVarint([]byte{0x28}, 1<<64-1),
		"method no text":  field(3, "\xff"),
		"meta no object":  field(4, "x"),
		"status no JSON":  field(8, "x"),
		"17 filters":      field(7, strings.Repeat("z", 17)),
	} {
		if _, err := parse(frame); !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parse(field(7, "Q")); !errors.Is(err, tfilter.ErrUnsupported) {
		t.Errorf("unknown filter: %v", err)
	}
	if _, err := parse(make([]byte, 1<<20+1)); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Errorf("too large: %v", err)
	}
	if err := NewPbSubProtoFunc()(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), io.Discard}).Unpack(new(message.Msg)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// Two packages that register one name end every program that has both.
func TestNothingIsRegistered(t *testing.T) {
	t.Parallel()
	if _, err := protoregistry.GlobalFiles.FindFileByPath("payload.proto"); !errors.Is(err, protoregistry.NotFound) {
		t.Errorf("payload.proto: %v", err)
	}
}

// payloadType is the message as older peers declare it, in no registry.
func payloadType(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	const (
		i32, str, raw = descriptorpb.FieldDescriptorProto_TYPE_INT32, descriptorpb.FieldDescriptorProto_TYPE_STRING,
			descriptorpb.FieldDescriptorProto_TYPE_BYTES
	)
	var list []*descriptorpb.FieldDescriptorProto
	for i, f := range []struct {
		name string
		typ  descriptorpb.FieldDescriptorProto_Type
	}{{"seq", i32}, {"mtype", i32}, {"serviceMethod", str}, {"meta", raw}, {"bodyCodec", i32}, {"body", raw}, {"pipeTFilter", raw}} {
		list = append(list, &descriptorpb.FieldDescriptorProto{
			Name: pb.String(f.name), JsonName: pb.String(f.name), Number: pb.Int32(int32(i + 1)), Type: f.typ.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: pb.String("payload.proto"), Package: pb.String("pb"), Syntax: pb.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: pb.String("payload"), Field: list}},
	}, new(protoregistry.Files))
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().Get(0)
}

// FuzzParseFrame: whatever comes, no panic; what we read, Protocol Buffers read alike, and what we write, too.
func FuzzParseFrame(f *testing.F) {
	for _, m := range []*message.Msg{
		call(), call(message.WithTFilterPipe('5')), call(message.WithTFilterPipe('z')),
		newMessage(message.TypeReply, 7, "", message.WithStatus(status.New(404, "Not Found", "c\n"))),
	} {
		frame, err := framer.AppendFrame(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	desc := payloadType(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := parse(frame)
		if err != nil {
			return
		}
		theirs := dynamicpb.NewMessage(desc)
		if err = pb.Unmarshal(frame, theirs); err != nil {
			t.Fatalf("they refuse: %v", err)
		}
		get := func(n int) any { return theirs.Get(desc.Fields().ByNumber(protoreflect.FieldNumber(n))).Interface() }
		if get(1) != m.Seq() || get(2) != int32(m.MType()) || get(3) != m.ServiceMethod() || get(5) != int32(m.BodyCodec()) ||
			!bytes.Equal(get(7).([]byte), m.PipeTFilter().IDs()) || m.PipeTFilter().Len() == 0 && !bytes.Equal(get(6).([]byte), []byte(body(m))) {
			t.Errorf("we read %v, they %v", m, theirs)
		}
		again, err := framer.AppendFrame(nil, m)
		if err != nil {
			return // a meta that grows above its limit when it is written anew
		}
		if err = pb.Unmarshal(again, theirs); err != nil {
			t.Errorf("they refuse what we write: %v", err)
		}
	})
}
