package jsontext

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

var texts = []string{
	"", "plain", `"`, `\`, "a\tb\nc\r\b\f", "\x00\x1f\x7f", "é世界 😀 \u2028", strings.Repeat("long enough for eight at a time ", 9) + `"`,
	strings.Repeat(`\"`, 50), "\xff", "cut \xe4\xb8",
}

func TestEscapedTextIsWhatEncodingJSONReads(t *testing.T) {
	t.Parallel()
	for _, text := range texts {
		b, ok := Escape([]byte(`before"`+text), len(`before"`))
		if ok != utf8.ValidString(text) {
			t.Errorf("%q: %v", text, ok)
		}
		if !ok {
			if string(b) != `before"`+text {
				t.Errorf("%q has become %q", text, b)
			}
			continue
		}
		inner := string(b[len(`before"`):])
		var got string
		if err := json.Unmarshal([]byte(`"`+inner+`"`), &got); err != nil || got != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if got := string(Unescape(nil, []byte(inner))); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	}
}

func TestScannerReadsInTurnAndRemembersTheFirstMiss(t *testing.T) {
	t.Parallel()
	s := Scanner{Rest: []byte(`{"n":-12,"t":"a\"b\u00e9","g":"\x41\'"}`)}
	s.Word(`{"n":`)
	n := s.Number(math.MinInt32, math.MaxInt32)
	s.Word(`,"t":`)
	text := string(s.Text())
	s.Word(`,"g":`)
	if n != -12 || text != `a\"b\u00e9` || s.Bad {
		t.Errorf("%d, %q, %v", n, text, s.Bad)
	}
	if s.GoText(); !s.Bad { // \' is none in a Go string
		t.Error("it reads what is no Go string")
	}
	if s.Word(``); s.Done() || len(s.Rest) > 0 {
		t.Error("the miss is forgotten")
	}
	for in, want := range map[string]bool{"0": true, "-0": true, "00": false, "01": false, "-": false, "": false, "255": true, "256": false} {
		s := Scanner{Rest: []byte(in)}
		if s.Number(0, math.MaxUint8); s.Done() != want {
			t.Errorf("%q: %v", in, s.Done())
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range texts {
		f.Add(strconv.Quote(text))
		f.Add(`"` + text + `"`)
	}
	f.Add(`"\ud83d\ude00\ud83d"`)
	f.Fuzz(func(t *testing.T, in string) {
		if !utf8.ValidString(in) {
			return
		}
		s := Scanner{Rest: []byte(in)}
		content := s.Text()
		var want string
		err := json.Unmarshal([]byte(in), &want)
		if s.Done() != (err == nil && strings.HasPrefix(in, `"`) && strings.HasSuffix(in, `"`)) {
			t.Fatalf("%q: %v, %v", in, s.Done(), err)
		}
		if !s.Done() {
			return
		}
		if got := string(Unescape(nil, content)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		EscapesMore(content)
		UnescapeQuotes(content)
	})
}
