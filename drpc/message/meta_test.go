package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/internal/race"
)

// plainDecode is what ParseMeta promises, the simple way.
func plainDecode(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var pairs map[string]any
	err := dec.Decode(&pairs)
	return pairs, err
}

var metaTexts = []string{
	``, ` `, `{}`, `null`, ` null `, `{"a":"1"}`, `{"a":"1","b":"2"}`, `{"a":"1","a":"2"}`, `{"":""}`, `{ "a" : "1" }`,
	`{"a":"1"} trailing`, `{"a":"1"}{"b":"2"}`, `{}{}`, `{"a":"1"}}`, `nullx`, `{"a":1e400}`, `{"a":1,"b":[1,{"c":null}],"d":true}`,
	`{"a":"\u003c\"\\\n"}`, `{"a":"é\u2028"}`, "{\"a\":\"\xff\"}", "{\"\xff\":\"a\"}", "{\"a\":\"\x01\"}", "{\"a\":\"\x7f\"}",
	`{"a"}`, `{"a":}`, `{"a":"1",}`, `{,"a":"1"}`, `{"a":"1"`, `{"a":"1`, `{"a"`, `{"`, `{`, `[]`, `["a"]`, `"a"`, `1`, `{a:"1"}`,
	`{"a":"1""b":"2"}`, `{"a":"1";"b":"2"}`, `{"a" "1"}`, `{"a":"1","b"}`, `{"a":"1","b":2}`, `{"X-Accept-Body-Codec":"106"}`,
	`{"a":{"b":"c"},"a":{"d":"e"}}`, "\ufeff{}", `{"a":"1"}` + "\n",
}

// metaAgrees compares ParseMeta and everything behind it with the plain decoder.
func metaAgrees(t *testing.T, raw []byte) {
	t.Helper()
	want, wantErr := plainDecode(raw)
	var m Msg
	err := m.ParseMeta(raw)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: error %v, want like %v", raw, err, wantErr)
	}
	if errors.Is(wantErr, io.EOF) != errors.Is(err, errNoMeta) {
		t.Fatalf("%q: error %v, want like %v", raw, err, wantErr)
	}
	if err != nil {
		return
	}
	if (m.MetaLen() > 0) != (len(want) > 0) {
		t.Errorf("%q: length %d, want %d", raw, m.MetaLen(), len(want))
	}
	for k, v := range want {
		if got := m.PeekMeta(k); !reflect.DeepEqual(got, v) {
			t.Errorf("%q: %q is %v as it came, want %v", raw, k, got, v)
		}
	}
	if v := m.PeekMeta("no such key"); v != nil && want["no such key"] == nil {
		t.Errorf("%q: a missing key is %v", raw, v)
	}
	var resent Msg
	if text, err := m.AppendMeta(nil); err != nil || resent.ParseMeta(text) != nil {
		t.Errorf("%q: sent on as %q: %v", raw, text, err)
	}
	for _, msg := range []*Msg{&m, &resent} {
		got := make(map[string]any)
		msg.Meta().Iterator(func(k, v any) bool {
			got[k.(string)] = v
			return true
		})
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", raw, got, want)
		}
	}
}

func TestMetaIsReadLikeAnyJSON(t *testing.T) {
	t.Parallel()
	for _, raw := range metaTexts {
		metaAgrees(t, []byte(raw))
	}
}

// FuzzParseMeta holds the fast path for flat objects against the plain decoder.
func FuzzParseMeta(f *testing.F) {
	for _, raw := range metaTexts {
		f.Add([]byte(raw))
	}
	f.Fuzz(metaAgrees)
}

func TestFlatMetaIsNotParsedUntilAsked(t *testing.T) {
	t.Parallel()
	var m Msg
	if err := m.ParseMeta([]byte(`{"a":"1","b":"é"}`)); err != nil {
		t.Fatal(err)
	}
	if m.PeekMeta("b") != "é" || m.meta != nil {
		t.Error("a look at one key made the map")
	}
	text, err := m.AppendMeta(nil)
	if err != nil || string(text) != `{"a":"1","b":"é"}` || m.meta != nil {
		t.Errorf("%s %v: sending it on made the map", text, err)
	}
}

func TestLastOfTwoEqualMetaKeysWins(t *testing.T) {
	t.Parallel()
	var m Msg
	if err := m.ParseMeta([]byte(`{"a":"1","b":"x","a":"2"}`)); err != nil {
		t.Fatal(err)
	}
	if m.PeekMeta("a") != "2" || m.Meta().Get("a") != "2" || m.Meta().Size() != 2 {
		t.Errorf("%v", m.Meta())
	}
}

func TestPeekMetaDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	var m Msg
	if err := m.ParseMeta([]byte(`{"a":"1","b":"a longer value than fits anywhere","c":"3"}`)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { m.PeekMeta("missing") }); n != 0 {
		t.Errorf("%v allocations for a key that is missing", n)
	}
	// The string that is returned, and its header in the interface.
	if n := testing.AllocsPerRun(100, func() { m.PeekMeta("b") }); n > 2 {
		t.Errorf("%v allocations for a key that is there", n)
	}
}

func TestDetachedMetaOutlivesItsBuffer(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":"first"}`, `{"a": "first"}`} {
		raw := []byte(text)
		var m Msg
		if err := m.ParseMeta(raw); err != nil {
			t.Fatal(err)
		}
		m.DetachMeta()
		copy(raw, bytes.Repeat([]byte("#"), len(raw)))
		if m.PeekMeta("a") != "first" || m.Meta().Get("a") != "first" {
			t.Errorf("%s: %v", text, m.Meta())
		}
	}
}

func TestPeekedValueOutlivesItsBuffer(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"a":"first"}`)
	var m Msg
	if err := m.ParseMeta(raw); err != nil {
		t.Fatal(err)
	}
	v := m.PeekMeta("a")
	copy(raw, bytes.Repeat([]byte("#"), len(raw)))
	if v != "first" {
		t.Error(v)
	}
}

func TestMetaIsWrittenAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		set  func(*gmap.Map)
		want string
	}{
		{"nothing", func(*gmap.Map) {}, `{}`},
		{"sorted and escaped", func(m *gmap.Map) { m.Set("b", `<2>&"é`); m.Set("a", "1") }, `{"a":"1","b":"\u003c2\u003e\u0026\"é"}`},
		{"all kinds", func(m *gmap.Map) { m.Set("n", 1); m.Set("l", []int{1}); m.Set(7, nil) }, `{"7":null,"l":[1],"n":1}`},
		{"removed again", func(m *gmap.Map) { m.Set("n", 1); m.Remove("n") }, `{}`},
	}
	for _, tt := range tests {
		var m Msg
		tt.set(m.Meta())
		got, err := m.AppendMeta([]byte("x"))
		if err != nil || string(got) != "x"+tt.want {
			t.Errorf("%s: %s %v, want %s", tt.name, got, err, tt.want)
		}
	}
	var m Msg
	m.Meta().Set("k", make(chan int))
	if got, err := m.AppendMeta([]byte("x")); err == nil || string(got) != "x" {
		t.Errorf("a channel became %s", got)
	}
}

func TestCopyMetaIsACopy(t *testing.T) {
	t.Parallel()
	var m Msg
	if m.CopyMeta() == nil || m.meta != nil {
		t.Error("the copy of nothing is no empty map, or made one")
	}
	if err := m.ParseMeta([]byte(`{"a":"1"}`)); err != nil {
		t.Fatal(err)
	}
	c := m.CopyMeta()
	c.Set("a", "2")
	if m.PeekMeta("a") != "1" {
		t.Error("the message has changed with its copy")
	}
}

func TestEmptyMetaSaysSo(t *testing.T) {
	t.Parallel()
	var m Msg
	err := m.ParseMeta(nil)
	if !errors.Is(err, errNoMeta) || !strings.Contains(err.Error(), "empty") {
		t.Error(err)
	}
}

// setAlike sets the pairs of text, with separators between, in two ways, and compares what comes of it.
func setAlike(t *testing.T, text string) {
	t.Helper()
	var quick, plain Msg
	for i, part := range strings.Split(text, "|") {
		switch key, value, ok := strings.Cut(part, "="); {
		case ok && i%5 == 4:
			WithSetMetas(map[string]any{key: value, "number": 1})(&quick)
			plain.Meta().Set(key, value)
			plain.Meta().Set("number", 1)
		case ok:
			WithSetMeta(key, value)(&quick)
			plain.Meta().Set(key, value)
		case part == "timeout":
			quick.SetTimeout(time.Duration(i) * time.Hour)
			plain.Meta()
			plain.SetTimeout(time.Duration(i) * time.Hour)
		case part == "look":
			quick.Meta()
		default:
			WithDelMeta(part)(&quick)
			plain.Meta().Remove(part)
		}
	}
	want, err := plain.AppendMeta(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := quick.AppendMeta(nil); err != nil || string(got) != string(want) {
		t.Fatalf("%q: %s (%v), want %s", text, got, err, want)
	}
	if (quick.MetaLen() > 0) != (plain.MetaLen() > 0) {
		t.Errorf("%q: length %d, want %d", text, quick.MetaLen(), plain.MetaLen())
	}
	plain.Meta().Iterator(func(k, v any) bool {
		if got := quick.PeekMeta(k.(string)); !reflect.DeepEqual(got, v) {
			t.Errorf("%q: %q is %v, want %v", text, k, got, v)
		}
		return true
	})
	if got, want := quick.CopyMeta().Map(), plain.Meta().Map(); !reflect.DeepEqual(got, want) {
		t.Errorf("%q: %v, want %v", text, got, want)
	}
}

var settingTexts = []string{
	"a=1", "a=1|b=2", "b=2|a=1", "c=3|a=1|b=2", "a=1|a=2", "a=long value|a=2|a=even longer value", "b=|a=|=|c=", "a=1|b=2|b=3|a=4",
	"a=1|timeout", "timeout|timeout|a=1|timeout|Z=2", "a=1|b=2|timeout|c=3|d=4|timeout", "a=1|look|b=2", "a=1|b=2|a", "a", "timeout|timeout|X-Timeout-Ms",
	"a=\"|b=1", "b=1|a=\\", "b=1|a=<&>", "é=1|a=2", "a=2|b=\u2028|c=3", "a=\x00", "a=\xff|b=1", "\x7f=\x7f|a=1", "a,=1|a\":=2", "a=" + strings.Repeat("x", 500) + "|a=1|b=2",
	"aa=1|a=2|aaa=3|A=4|B=5|a=6|aa=7",
}

func TestMetaThatIsSetIsWrittenAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	for _, text := range settingTexts {
		setAlike(t, text)
	}
}

func FuzzSetMeta(f *testing.F) {
	for _, text := range settingTexts {
		f.Add(text)
	}
	f.Fuzz(setAlike)
}

// What was received lies in the buffer of a frame, which is not to be written to.
func TestSettingMetaOfAReceivedMessageLeavesItsBuffer(t *testing.T) {
	t.Parallel()
	frame := []byte(`{"b":"2"}...`)
	var m Msg
	if err := m.ParseMeta(frame[:9]); err != nil {
		t.Fatal(err)
	}
	WithSetMeta("a", "1")(&m)
	WithSetMeta("b", "3")(&m)
	if text, err := m.AppendMeta(nil); string(text) != `{"a":"1","b":"3"}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	if string(frame) != `{"b":"2"}...` {
		t.Errorf("the buffer became %s", frame)
	}
}

func TestSettingPlainMetaMakesNoMap(t *testing.T) {
	if race.Enabled {
		t.Skip("allocations are not counted with the race detector")
	}
	one, two := WithSetMeta("trace", "0123456789abcdef"), WithSetMeta("author", "somebody")
	var m Msg
	if n := testing.AllocsPerRun(100, func() {
		m.Clear()
		one(&m)
		two(&m)
	}); n > 2 {
		t.Errorf("%v allocations, want those of the text only", n)
	}
}
