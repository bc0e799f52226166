package message

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/status"
)

func TestStringIsOneJSONObject(t *testing.T) {
	t.Parallel()
	loop := map[string]any{}
	loop["self"] = loop
	odd := "a\"\\\x00\x01\xff\u2028<é"
	text := []byte(`{"a":1}`)
	received := new(Msg)
	received.DeferBody()
	if err := received.UnmarshalBody([]byte(odd)); err != nil {
		t.Fatal(err)
	}
	flat := new(Msg)
	if err := flat.ParseMeta([]byte(`{"a":"1"}`)); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]Message{
		"empty":                    NewMessage(),
		"everything":               full(t),
		"received and not decoded": received,
		"meta as it came":          flat,
		"odd texts":                NewMessage(WithServiceMethod(odd), WithStatus(status.New(-1, odd, odd)), WithSetMeta(odd, odd), WithBody(odd)),
		"bytes that are JSON":      NewMessage(WithBody(text)),
		"pointer to them":          NewMessage(WithBody(&text)),
		"nil pointer to bytes":     NewMessage(WithBody((*[]byte)(nil))),
		"bytes that are text":      NewMessage(WithBody([]byte("{{"))),
		"bytes that are neither":   NewMessage(WithBody([]byte(odd))),
		"not a number":             NewMessage(WithBody(math.NaN())),
		"channel":                  NewMessage(WithBody(make(chan int))),
		"value that holds itself":  NewMessage(WithBody(loop)),
		"meta with a channel":      NewMessage(WithSetMetas(map[string]any{"a": make(chan int)})),
		"unknown codec":            NewMessage(WithBodyCodec(odd)),
		"unknown filter":           NewMessage(WithTFilterPipe('Q')),
		"two filters":              NewMessage(WithTFilterPipe('5', '5')),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got map[string]any
			if err := json.Unmarshal([]byte(m.String()), &got); err != nil {
				t.Fatalf("%s: %v", m.String(), err)
			}
			for _, key := range []string{"seq", "mtype", "serviceMethod", "status", "meta", "bodyCodec", "body", "tfilterPipe", "size"} {
				if _, ok := got[key]; !ok {
					t.Errorf("%s has no %q", m.String(), key)
				}
			}
		})
	}
}

func TestStringShowsTheParts(t *testing.T) {
	t.Parallel()
	m := NewMessage(WithMType(TypeCall), WithServiceMethod("/m"), WithSetMeta("k", "v"), WithBody([]int{1, 2}), WithTFilterPipe('5'))
	m.SetSeq(-3)
	m.SetBodyCodec('j')
	const want = `{"seq":-3,"mtype":1,"serviceMethod":"/m","status":{"code":0,"msg":"","cause":""},"meta":{"k":"v"},` +
		`"bodyCodec":106,"body":[1,2],"tfilterPipe":[53],"size":0}`
	if got := m.String(); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
}

func TestStringNamesWhatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	var got struct{ Body string }
	if err := json.Unmarshal([]byte(NewMessage(WithBodyCodec("no such")).String()), &got); err != nil || got.Body == "" {
		t.Errorf("%v %q", err, got.Body)
	}
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("no text") }

func TestBodyThatPanicsCostsOnlyItsText(t *testing.T) {
	t.Parallel()
	m := NewMessage(WithBody(panicky{}))
	if text := m.String(); !json.Valid([]byte(text)) || !strings.Contains(text, "panic: no text") {
		t.Errorf("%s", text)
	}
}
