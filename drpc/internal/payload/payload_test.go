package payload_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/internal/payload"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

// forms are the two ways in which protocols number the fields.
var forms = map[string]*payload.Fields{
	"filters outside": {Status: 4, Meta: 5, BodyCodec: 6, Body: 7, NeedsMeta: true},
	"filters inside":  {Meta: 4, BodyCodec: 5, Body: 6, Filters: 7, Status: 8},
}

func build(f *payload.Fields, m *message.Msg) ([]byte, error) {
	dst := []byte(nil)
	for _, part := range []func([]byte, *message.Msg) ([]byte, error){f.AppendHead, f.AppendStatus, f.AppendMeta, f.AppendBody} {
		var err error
		if dst, err = part(dst, m); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func sample(settings ...message.MsgSetting) *message.Msg {
	m := message.NewMessage(append([]message.MsgSetting{
		message.WithMType(message.TypeReply), message.WithServiceMethod("/m/é"), message.WithSetMeta("k", "v"),
		message.WithStatus(status.New(404, "Not Found", "c")), message.WithBodyCodec("json"), message.WithBody([]byte(`"x"`)),
	}, settings...)...)
	m.SetSeq(-7)
	return message.From(m)
}

func TestMessageComesBackFromItsFields(t *testing.T) {
	t.Parallel()
	for name, f := range forms {
		b, err := build(f, sample())
		if err != nil {
			t.Fatal(err)
		}
		got := message.From(message.NewMessage(message.WithBody(new([]byte))))
		if err = f.Parse(b, got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Seq() != -7 || got.MType() != message.TypeReply || got.ServiceMethod() != "/m/é" || got.PeekMeta("k") != "v" ||
			got.Status().Code() != 404 || got.BodyCodec() != 'j' || string(*got.Body().(*[]byte)) != `"x"` {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatFieldsCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", proto.MaxHeaderPart+1)
	for name, tc := range map[string]struct {
		with message.MsgSetting
		want error
	}{
		"method that is no text": {message.WithServiceMethod("\xff"), proto.ErrNotText},
		"long method":            {message.WithServiceMethod(long), proto.ErrHeaderTooLong},
		"long meta":              {message.WithSetMeta("k", long), proto.ErrHeaderTooLong},
		"long status":            {message.WithStatus(status.New(1, long)), proto.ErrHeaderTooLong},
	} {
		for form, f := range forms {
			if _, err := build(f, sample(tc.with)); !errors.Is(err, tc.want) {
				t.Errorf("%s, %s: %v", name, form, err)
			}
		}
	}
}

func TestLongPartsOfAHeaderAreRefused(t *testing.T) {
	t.Parallel()
	fits, long := make([]byte, proto.MaxHeaderPart), make([]byte, proto.MaxHeaderPart+1)
	if err := payload.CheckHeader(fits, fits, fits); err != nil {
		t.Error(err)
	}
	for i, part := range []string{"service method", "status", "meta"} {
		parts := [3][]byte{}
		parts[i] = long
		if err := payload.CheckHeader(parts[0], parts[1], parts[2]); !errors.Is(err, proto.ErrHeaderTooLong) ||
			!strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

func TestJSONPartsAreEscapedWhereTheyLie(t *testing.T) {
	t.Parallel()
	m := sample(message.WithServiceMethod(`/a"b`))
	b, err := payload.AppendJSONHead(nil, m)
	if want := `{"seq":-7,"mtype":2,"serviceMethod":"/a\"b`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if b, err = payload.AppendJSONMeta([]byte("> "), m); err != nil || string(b) != `> {\"k\":\"v\"}` {
		t.Errorf("%s, %v", b, err)
	}
	if _, err = payload.Escape([]byte("\xff"), 0, "body"); !errors.Is(err, proto.ErrNotText) {
		t.Error(err)
	}
	if _, err = payload.AppendJSONMeta(nil, sample(message.WithSetMeta("k", strings.Repeat("x", proto.MaxHeaderPart)))); !errors.Is(err, proto.ErrHeaderTooLong) {
		t.Error(err)
	}
}

// FuzzParse: whatever comes, no panic; and what was understood is understood as the same when it is written again.
func FuzzParse(f *testing.F) {
	for _, form := range forms {
		b, err := build(form, sample())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x10, 0xff, 0xff, 0x03})
	f.Add(bytes.Repeat([]byte{0x0b}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, form := range forms {
			got := message.From(message.NewMessage(message.WithBody(new([]byte))))
			got.SetSizeLimit(1 << 20)
			if form.Parse(bytes.Clone(b), got) != nil || got.PipeTFilter().Len() > 0 {
				continue
			}
			again, err := build(form, got)
			if err != nil {
				continue // such as a meta that is longer in our form
			}
			second := message.From(message.NewMessage(message.WithBody(new([]byte))))
			if err = form.Parse(again, second); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if second.Seq() != got.Seq() || second.ServiceMethod() != got.ServiceMethod() ||
				!bytes.Equal(*second.Body().(*[]byte), *got.Body().(*[]byte)) {
				t.Errorf("%s: %v became %v", name, got, second)
			}
		}
	})
}
