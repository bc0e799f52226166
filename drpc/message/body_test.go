package message

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

func jsonID(t testing.TB) byte {
	t.Helper()
	c, err := codec.GetByName(codec.JsonName)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID()
}

func TestBytesBypassTheCodec(t *testing.T) {
	t.Parallel()
	bytesOf := []byte(`not json`)
	for name, tt := range map[string]struct {
		body any
		want []byte
	}{
		"nil":                {nil, []byte{}},
		"bytes":              {bytesOf, bytesOf},
		"pointer to bytes":   {&bytesOf, bytesOf},
		"nil pointer":        {(*[]byte)(nil), []byte{}},
		"empty bytes":        {[]byte{}, []byte{}},
		"a value with codec": {[]int{1, 2}, []byte(`[1,2]`)},
	} {
		m := NewMessage(WithBody(tt.body))
		m.SetBodyCodec(jsonID(t))
		got, err := m.MarshalBody()
		if err != nil || got == nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		appended, err := From(m).AppendBody([]byte("x"))
		if err != nil || string(appended) != "x"+string(tt.want) {
			t.Errorf("%s: appended %q %v", name, appended, err)
		}
	}
}

func TestReceivedBytesAreACopy(t *testing.T) {
	t.Parallel()
	for _, old := range [][]byte{nil, []byte("much longer than what comes now"), {}} {
		was := bytes.Clone(old)
		target := old
		raw := []byte("first")
		m := NewMessage(WithBody(&target))
		if err := m.UnmarshalBody(raw); err != nil {
			t.Fatal(err)
		}
		copy(raw, "#####")
		if string(target) != "first" || cap(target) > 2*len(raw) {
			t.Errorf("target %q with room for %d", target, cap(target))
		}
		if !bytes.Equal(old, was) {
			t.Errorf("what the target held before became %q", old)
		}
	}
}

func TestEmptyBodyLeavesTheTarget(t *testing.T) {
	t.Parallel()
	n := 7
	m := NewMessage(WithBody(&n))
	if err := m.UnmarshalBody(nil); err != nil || n != 7 {
		t.Errorf("%d %v", n, err)
	}
	b := []byte("old")
	m.SetBody(&b)
	if err := m.UnmarshalBody(nil); err != nil || b == nil || len(b) != 0 {
		t.Errorf("%q %v: bytes that came empty are empty", b, err)
	}
}

func TestBodyWithoutATargetIsDropped(t *testing.T) {
	t.Parallel()
	for _, target := range []any{nil, []byte("value"), (*[]byte)(nil)} {
		m := NewMessage(WithBody(target))
		m.SetBodyCodec(250)
		if err := m.UnmarshalBody([]byte("{{{")); err != nil || !reflect.DeepEqual(m.Body(), target) {
			t.Errorf("%v: %v %v", target, m.Body(), err)
		}
	}
}

func TestNewBodySeesTheHeader(t *testing.T) {
	t.Parallel()
	var seen string
	m := NewMessage(WithServiceMethod("/m"), WithNewBody(func(h Header) any {
		seen = h.ServiceMethod()
		return new([]int)
	}))
	m.SetBodyCodec(jsonID(t))
	if err := m.UnmarshalBody([]byte(`[1]`)); err != nil || seen != "/m" || !reflect.DeepEqual(m.Body(), &[]int{1}) {
		t.Errorf("%v %q %v", err, seen, m.Body())
	}
	m = NewMessage(WithBody(new(int)), WithNewBody(func(Header) any {
		t.Error("asked although there is a body")
		return nil
	}))
	m.SetBodyCodec(jsonID(t))
	if err := m.UnmarshalBody([]byte(`1`)); err != nil {
		t.Error(err)
	}
}

func TestDeferredBodyIsDecodedLater(t *testing.T) {
	t.Parallel()
	m := new(Msg)
	m.DeferBody()
	m.SetNewBody(func(Header) any {
		t.Error("the body was made already")
		return nil
	})
	m.SetBodyCodec(jsonID(t))
	if err := m.UnmarshalBody([]byte(`{{{`)); err != nil || string(m.EncodedBody()) != `{{{` || m.Body() != nil {
		t.Fatalf("%v %q %v", err, m.EncodedBody(), m.Body())
	}
	m.SetEncodedBody([]byte(`[3]`))
	target := new([]int)
	m.SetBody(target)
	if err := m.DecodeBody(); err != nil || !reflect.DeepEqual(*target, []int{3}) {
		t.Errorf("%v %v", err, *target)
	}
	m.SetEncodedBody([]byte(`{{{`))
	if err := m.DecodeBody(); err == nil {
		t.Error("no JSON was decoded")
	}
}

func TestSettingThatCannotBeEncodedFailsTheEncoding(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		set  MsgSetting
		want error
	}{
		"unknown codec name": {WithBodyCodec("no such"), codec.UnknownNameError("no such")},
		"unknown filter":     {WithTFilterPipe('Q'), tfilter.ErrUnsupported},
		"257 filters":        {WithTFilterPipe(make([]byte, 257)...), tfilter.ErrTransferFilterTooLong},
		"unknown codec id":   {func(m Message) { m.SetBodyCodec(250) }, codec.UnknownIDError(250)},
		"no codec":           {func(m Message) { m.SetBodyCodec(0) }, codec.UnknownIDError(0)},
	} {
		m := NewMessage(WithBody([]int{1}), tt.set)
		if _, err := m.MarshalBody(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		got, err := From(m).AppendBody([]byte("x"))
		if !errors.Is(err, tt.want) || string(got) != "x" {
			t.Errorf("%s: appended %q %v, want %v", name, got, err, tt.want)
		}
	}
}

func TestUnknownFilterLeavesThePipeAsItWas(t *testing.T) {
	t.Parallel()
	m := NewMessage(WithTFilterPipe('5', 'Q'))
	if m.PipeTFilter().Len() != 0 {
		t.Errorf("%q", m.PipeTFilter().IDs())
	}
}
