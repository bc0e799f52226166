package message

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/internal/race"
)

func TestMain(m *testing.M) {
	tfilter.RegMD5()
	os.Exit(m.Run())
}

// full is a message with everything set.
func full(t testing.TB) *Msg {
	t.Helper()
	m := new(Msg)
	fill(t, m)
	for _, v := range []reflect.Value{reflect.ValueOf(*m), reflect.ValueOf(*m.in)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Fatalf("%s is not set: the tests of empty messages would not see it", v.Type().Field(i).Name)
			}
		}
	}
	return m
}

func fill(t testing.TB, m *Msg) {
	t.Helper()
	m.Apply([]MsgSetting{
		WithMType(TypeCall), WithBody("body"), WithTFilterPipe('5'), WithContext(t.Context()),
		WithNewBody(func(Header) any { return nil }), WithStatus(status.New(1, "", "")), WithFailFast(),
	})
	m.SetSeq(7)
	m.SetBodyCodec(codec.NilCodecID + 1)
	m.SetServiceMethod("/m")
	m.into().method = []byte("/raw")
	m.statusOK = true
	m.DeferBody()
	m.SetEncodedBody([]byte("encoded"))
	m.SetSizeLimit(1000)
	m.SetSealer(brackets{})
	if err := errors.Join(m.ParseMeta([]byte(`{"a":"1"}`)), m.SetSize(5)); err != nil {
		t.Fatal(err)
	}
	raw := m.in.meta
	m.Meta()
	m.in.meta, m.in.ownMeta = raw, true // both forms at once
}

// empty fails if m differs from a new message in anything but memory that it keeps.
func empty(t testing.TB, m *Msg) {
	t.Helper()
	if m.PipeTFilter().Len() != 0 {
		t.Errorf("filters %q", m.PipeTFilter().IDs())
	}
	if !reflect.DeepEqual(*m.from(), received{}) || !reflect.DeepEqual(nothing, received{}) {
		t.Errorf("received parts are left: %+v", *m.from())
	}
	bare := *m
	bare.pipe, bare.in = tfilter.PipeTFilter{}, nil
	if !reflect.DeepEqual(bare, Msg{}) {
		t.Errorf("not empty: %+v", bare)
	}
}

func TestClearedMessageIsLikeNew(t *testing.T) {
	t.Parallel()
	m := full(t)
	m.Clear()
	empty(t, m)
	m = full(t)
	m.Reset(nil, WithNothing())
	empty(t, m)
	m.Reset(WithServiceMethod("/m"))
	if m.ServiceMethod() != "/m" {
		t.Error("Reset did not apply its settings")
	}
}

func TestPooledMessageIsClean(t *testing.T) {
	t.Parallel()
	for range 100 {
		m := GetMessage()
		empty(t, From(m))
		fill(t, From(m))
		PutMessage(m)
	}
	m := GetMessage(WithMType(TypePush))
	if m.MType() != TypePush {
		t.Error("GetMessage did not apply its settings")
	}
	PutMessage(m)
	empty(t, From(m)) // it holds nothing on to the pool either
}

type ctxKey struct{}

func TestEachSettingChangesItsPart(t *testing.T) {
	t.Parallel()
	stat := status.New(5, "five", "")
	ctx := context.WithValue(t.Context(), ctxKey{}, 1)
	m := NewMessage(
		WithNothing(), nil,
		WithServiceMethod("/a"), WithStatus(stat), WithMType(TypePush), WithContext(ctx),
		WithBodyCodec(codec.JsonName), WithBody(3),
		WithSetMeta("gone", "x"), WithSetMeta("one", "1"), WithSetMetas(map[string]any{"two": 2}), WithDelMeta("gone"),
		WithTFilterPipe('5'), WithTFilterPipe('5'),
	)
	if m.ServiceMethod() != "/a" || m.Status() != stat || m.MType() != TypePush || m.Context() != ctx ||
		m.BodyCodec() != jsonID(t) || m.Body() != 3 || string(m.PipeTFilter().IDs()) != "55" {
		t.Errorf("%v", m)
	}
	if want := (map[any]any{"one": "1", "two": 2}); !reflect.DeepEqual(m.Meta().Map(), want) {
		t.Errorf("meta %v, want %v", m.Meta(), want)
	}
	if m.AsHeader().Seq() != m.Seq() || m.AsBody().Body() != 3 {
		t.Error("header and body are not those of the message")
	}
}

func TestContextIsNeverNil(t *testing.T) {
	t.Parallel()
	var none context.Context
	m := NewMessage(WithContext(none))
	if m.Context() != context.Background() || From(m).HasContext() {
		t.Error(m.Context())
	}
}

func TestOnlyTypesThatExistHaveAName(t *testing.T) {
	t.Parallel()
	want := map[byte]string{1: "CALL", 2: "REPLY", 3: "PUSH", 4: "AUTH_CALL", 5: "AUTH_REPLY"}
	for typ := range 256 {
		text, ok := want[byte(typ)]
		if !ok {
			text = "Undefined"
		}
		if got := TypeText(byte(typ)); got != text {
			t.Errorf("%d is %q, want %q", typ, got, text)
		}
	}
}

func TestOnlyARegisteredCodecIsAcceptedForTheReply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   any
		id   byte
		ok   bool
	}{
		{"missing", nil, 0, false},
		{"json", "106", 'j', true},
		{"as a number", 106, 'j', true},
		{"as a JSON number", json.Number("106"), 'j', true},
		{"as it is decoded without care", 106.0, 'j', true},
		{"none", "0", 0, false},
		{"none, long", "000", 0, false},
		{"empty", "", 0, false},
		{"not registered", "250", 0, false},
		{"above a byte", "362", 0, false},
		{"four digits", "0106", 0, false},
		{"sign", "+10", 0, false},
		{"negative", "-1", 0, false},
		{"space", " 9", 0, false},
		{"hex", "0x6", 0, false},
		{"name", "json", 0, false},
		{"list", []int{106}, 0, false},
	}
	for _, tt := range tests {
		meta := gmap.New()
		if tt.in != nil {
			meta.Set(MetaAcceptBodyCodec, tt.in)
		}
		m := NewMessage()
		m.Meta().Sets(meta.Map())
		id, ok := GetAcceptBodyCodec(meta)
		id2, ok2 := From(m).AcceptBodyCodec()
		if id != tt.id || ok != tt.ok || id2 != tt.id || ok2 != tt.ok {
			t.Errorf("%s: %d %v and %d %v, want %d %v", tt.name, id, ok, id2, ok2, tt.id, tt.ok)
		}
	}
	if _, ok := GetAcceptBodyCodec(nil); ok {
		t.Error("no meta names a codec")
	}
	if _, ok := new(Msg).AcceptBodyCodec(); ok {
		t.Error("an empty message names a codec")
	}
}

func TestStatusIsMadeOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	var m Msg
	if m.Status() != nil || !m.StatusOK() {
		t.Errorf("a new message has the status %v", m.Status())
	}
	first := m.Status(true)
	if first == nil || m.Status() != first || m.Status(true) != first {
		t.Error("Status(true) does not keep the status it makes")
	}
	for _, text := range []string{status.OKJSON, "", "null", `{"code":0,"msg":"x"}`, `{}`} {
		m = Msg{}
		if err := m.ParseStatus([]byte(text)); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if m.stat != nil || !m.StatusOK() {
			t.Errorf("%q made a status that nobody asked for", text)
		}
		if stat := m.Status(); stat == nil || !stat.OK() || stat.Msg() != "" {
			t.Errorf("%q: %v, want one that is OK", text, stat)
		}
		if got := string(m.AppendStatus(nil)); got != status.OKJSON {
			t.Errorf("%q is sent on as %s", text, got)
		}
	}
	if err := m.ParseStatus([]byte(`{"code":404,"msg":"Not Found","cause":"c"}`)); err != nil || m.StatusOK() ||
		m.Status().Code() != 404 || m.Status().Cause().Error() != "c" {
		t.Errorf("%v %v", err, m.Status())
	}
	for _, bad := range []string{"[]", "{", "1", `{"code":"x"}`, `{"code":2147483648}`} {
		if err := new(Msg).ParseStatus([]byte(bad)); err == nil {
			t.Errorf("%q is no status", bad)
		}
	}
}

func TestParsingAnOKStatusDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	var m Msg
	raw := []byte(status.OKJSON)
	if n := testing.AllocsPerRun(100, func() { _ = m.ParseStatus(raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestServiceMethodOutlivesItsBufferOnceAsked(t *testing.T) {
	t.Parallel()
	raw := []byte("/a/b")
	var m Msg
	m.ParseServiceMethod(raw)
	if string(m.ServiceMethodBytes()) != "/a/b" || m.ServiceMethod() != "/a/b" {
		t.Fatal(m.ServiceMethod())
	}
	copy(raw, "####")
	if m.ServiceMethod() != "/a/b" {
		t.Error(m.ServiceMethod())
	}
	m.SetServiceMethod("")
	if m.ServiceMethod() != "" || m.ServiceMethodBytes() != nil {
		t.Error("the received method is still there")
	}
	m.ParseServiceMethod([]byte("/c"))
	if m.ServiceMethod() != "/c" {
		t.Error("the set method is still there")
	}
}

func TestSizeAboveTheLimitSaysHowToRaiseIt(t *testing.T) {
	t.Parallel()
	for what, err := range map[string]error{
		"CheckSize":    CheckSize(101, 100),
		"ExceedsLimit": ExceedsLimit(errors.New("why")),
		"SetSize": func() error {
			var m Msg
			m.SetSizeLimit(100)
			return m.SetSize(101)
		}(),
	} {
		if !errors.Is(err, ErrExceedMessageSizeLimit) {
			t.Errorf("%s: %v", what, err)
		}
		for _, hint := range []string{"drpc.SetReadLimit", "EndpointConfig.MaxMessageSize"} {
			if !strings.Contains(err.Error(), hint) {
				t.Errorf("%s: %v does not name %s", what, err, hint)
			}
		}
	}
	if err := CheckSize(101, 100); !strings.Contains(err.Error(), "101 bytes, allowed are 100") {
		t.Error(err)
	}
	if err := CheckSize(100, 100); err != nil {
		t.Error(err)
	}
	var m Msg
	m.SetSizeLimit(100)
	if err := m.SetSize(100); err != nil || m.Size() != 100 {
		t.Error(err, m.Size())
	}
	if err := m.SetSize(101); err == nil || m.Size() != 100 {
		t.Error("a size above the limit was noted")
	}
}

// Not parallel: the limit is that of the whole process.
func TestSizeLimitIsFourMiBUntilChanged(t *testing.T) {
	t.Cleanup(func() { SetMsgSizeLimit(DefaultMsgSizeLimit) })
	var m Msg
	if MsgSizeLimit() != 4<<20 || m.SizeLimit() != 4<<20 {
		t.Errorf("%d", MsgSizeLimit())
	}
	SetMsgSizeLimit(0)
	if MsgSizeLimit() != math.MaxUint32 || m.SizeLimit() != math.MaxUint32 {
		t.Errorf("0 is %d", MsgSizeLimit())
	}
	SetMsgSizeLimit(10)
	if m.SizeLimit() != 10 || m.SetSize(11) == nil {
		t.Errorf("%d", m.SizeLimit())
	}
	m.SetSizeLimit(20)
	if m.SizeLimit() != 20 {
		t.Error("a message's own limit does not come first")
	}
}
