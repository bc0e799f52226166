package status_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/status"
)

func TestWireFormOfText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"plain":              {"Not Found", `Not Found`},
		"quote, backslash":   {`a"b\c`, `a\"b\\c`},
		"html is left alone": {"<a href='/?x&y'>", "<a href='/?x&y'>"},
		"utf-8":              {"é 世界 😀", "é 世界 😀"},
		"short escapes":      {"\b\f\n\r\t", `\b\f\n\r\t`},
		"controls":           {"\x00\x01\a\v\x1f\x7f", `\u0000\u0001\u0007\u000b\u001f\u007f`},
		"separators":         {"\u2028\u2029", `\u2028\u2029`},
		"unseen":             {"\u0085\u00a0\u200b\ufeff", `\u0085\u00a0\u200b\ufeff`},
		"unseen, high plane": {"\U000e0001", `\udb40\udc01`},
		"not utf-8":          {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"half a surrogate":   {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		"real U+FFFD":        {"\ufffd", "\ufffd"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := `{"code":-1,"msg":"` + tt.want + `","cause":"` + tt.want + `"}`
			if got := status.New(-1, tt.in, tt.in).String(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestSuccessIsAlwaysTheSameBytes(t *testing.T) {
	t.Parallel()
	if len(status.OKJSON) != 30 {
		t.Errorf("OKJSON has %d bytes", len(status.OKJSON))
	}
	for _, s := range []*status.Status{nil, {}, status.New(0, "fine", "because")} {
		if got := string(s.AppendJSON([]byte("x"))); got != "x"+status.OKJSON {
			t.Errorf("AppendJSON = %s", got)
		}
	}
}

func TestParseReadsEverySpelling(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"nothing":           {"", "<nil>"},
		"null":              {"null", "<nil>"},
		"empty object":      {"{}", "<nil>"},
		"success":           {status.OKJSON, "<nil>"},
		"success, spaced":   {` { "code" : 0 } `, "<nil>"},
		"success with text": {`{"code":0,"msg":"fine"}`, "<nil>"},
		"full":              {`{"code":404,"msg":"Not Found","cause":"x"}`, `{"code":404,"msg":"Not Found","cause":"x"}`},
		"partial":           {`{"code":5}`, `{"code":5,"msg":"","cause":""}`},
		"any case":          {`{"CODE":5,"Msg":"m","cAUSE":"c"}`, `{"code":5,"msg":"m","cause":"c"}`},
		"unknown keys":      {`{"code":5,"more":{"a":[1]}}`, `{"code":5,"msg":"","cause":""}`},
		"null members":      {`{"code":5,"msg":null,"cause":null}`, `{"code":5,"msg":"","cause":""}`},
		"lowest code":       {`{"code":-2147483648}`, `{"code":-2147483648,"msg":"","cause":""}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := status.Parse([]byte(tt.in))
			if err != nil || s.String() != tt.want {
				t.Errorf("Parse = %v, %v, want %s", s, err, tt.want)
			}
		})
	}
}

func TestParseOfEmptyCauseHasNoCause(t *testing.T) {
	t.Parallel()
	s, err := status.Parse([]byte(`{"code":5,"msg":"m","cause":""}`))
	if err != nil || s.Cause().Error() != "m" {
		t.Errorf("Cause = %v (%v), want the message", s.Cause(), err)
	}
}

func TestParseRefusesWhatIsNoStatus(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		" ", "x", "[]", "5", `"text"`, `{"code":5`, `{"code":5}x`, `{"code":"5"}`, `{"code":1.5}`,
		`{"code":2147483648}`, `{"msg":5}`, `{"cause":{}}`, `{"code":1,"msg":"\x01"}`,
		// All but the form of older peers.
		`{"code":1,"msg":"\x01","cause":""`, `{"code":1,"msg":"\x01","cause":""}}`, `{"code":1,"msg":"\x01","cause":""} `,
		`{"code":1, "msg":"\x01","cause":""}`, `{"msg":"\x01","code":1,"cause":""}`, `{"code":1,"cause":"","msg":"\x01"}`,
		`{"code":+1,"msg":"\x01","cause":""}`, `{"code":01,"msg":"\x01","cause":""}`, `{"code":2147483648,"msg":"\x01","cause":""}`,
		`{"code":,"msg":"\x01","cause":""}`, `{"code":1,"msg":"\x0","cause":""}`, `{"code":1,"msg":"\q","cause":""}`,
		`{"code":1,"msg":'a',"cause":""}`, "{\"code\":1,\"msg\":`a`,\"cause\":\"\"}", "{\"code\":1,\"msg\":\"\n\",\"cause\":\"\"}",
		`{"code":1,"msg":"\x01","cause":null}`, `{"code":1,"msg":"\x01","cause":"`, `{"code":1,"msg":"\x01`, `{"code":1,"msg":"\`,
	} {
		s, err := status.Parse([]byte(in))
		if err == nil || s != nil {
			t.Errorf("Parse(%s) = %v, %v", in, s, err)
		}
	}
	_, err := status.Parse([]byte("{"))
	if syntax := new(json.SyntaxError); !errors.As(err, &syntax) {
		t.Errorf("error %v does not wrap the one of encoding/json", err)
	}
}

// older is the wire form of an older peer.
func older(code int32, msg, cause string) string {
	return `{"code":` + strconv.Itoa(int(code)) + `,"msg":` + strconv.Quote(msg) + `,"cause":` + strconv.Quote(cause) + `}`
}

func TestParseReadsWhatOlderPeersQuote(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "plain", "a\"b\\c", "\x00\x01\a\b\f\n\r\t\v\x1b\x7f", "\xff\xfe", "a\"\x01\aé<\xff\u2028", "\u0085\u00a0\ufeff", "\U000e0001😀",
		`","cause":"`, `\x01`, "'`",
	} {
		for _, code := range []int32{-1 << 31, -1, 1, 404, 1<<31 - 1} {
			s, err := status.Parse([]byte(older(code, text, text)))
			if err != nil || s.Code() != code || text != "" && (s.Msg() != text || s.Cause().Error() != text) {
				t.Errorf("%d %q: %v (%v)", code, text, s, err)
			}
			var method status.Status
			if err = method.UnmarshalJSON([]byte(older(code, text, text))); err != nil || method.String() != s.String() {
				t.Errorf("UnmarshalJSON of %d %q: %v (%v)", code, text, &method, err)
			}
		}
		if s, err := status.Parse([]byte(older(0, text, text))); s != nil || err != nil {
			t.Errorf("success with %q: %v (%v)", text, s, err)
		}
	}
}

func TestParseDoesNotKeepItsInput(t *testing.T) {
	t.Parallel()
	b := []byte(`{"code":5,"msg":"mmmm","cause":"cccc"}`)
	s, err := status.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = '#'
	}
	if got := s.String(); got != `{"code":5,"msg":"mmmm","cause":"cccc"}` {
		t.Errorf("status changed with the buffer: %s", got)
	}
}

func TestStatusSurvivesInsideOtherValues(t *testing.T) {
	t.Parallel()
	type envelope struct {
		Failed, Fine, None *status.Status
	}
	in := envelope{Failed: status.New(5, "m", "c"), Fine: new(status.Status)}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Failed":{"code":5,"msg":"m","cause":"c"},"Fine":` + status.OKJSON + `,"None":null}`
	if string(b) != want {
		t.Errorf("Marshal = %s, want %s", b, want)
	}
	var out envelope
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if out.Failed.String() != in.Failed.String() || !out.Fine.OK() || out.Fine == nil || out.None != nil {
		t.Errorf("Unmarshal = %+v", out)
	}
}

func TestMarshalJSONOfNilIsNull(t *testing.T) {
	t.Parallel()
	b, err := (*status.Status)(nil).MarshalJSON()
	if err != nil || string(b) != "null" {
		t.Errorf("MarshalJSON = %s, %v", b, err)
	}
}

func TestUnmarshalJSONReplacesEverything(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                   status.OKJSON,
		"null":               status.OKJSON,
		status.OKJSON:        status.OKJSON,
		`{"code":9}`:         `{"code":9,"msg":"","cause":""}`,
		`{"code":9,"msg":7}`: `{"code":5,"msg":"m","cause":"c"}`, // an error changes nothing
	} {
		s := status.New(5, "m", "c")
		err := s.UnmarshalJSON([]byte(in))
		if got := s.String(); got != want || (err != nil) != strings.Contains(want, `"c"`) {
			t.Errorf("UnmarshalJSON(%s): %s, %v, want %s", in, got, err, want)
		}
	}
	if err := (*status.Status)(nil).UnmarshalJSON([]byte(`{}`)); err == nil {
		t.Error("decoding into nil reports no error")
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	failed := status.New(404, "Not Found\x01é", "no such path")
	buf, success := make([]byte, 0, 256), []byte(status.OKJSON)
	for name, f := range map[string]func(){
		"append success": func() { buf = (*status.Status)(nil).AppendJSON(buf[:0]) },
		"append failure": func() { buf = failed.AppendJSON(buf[:0]) },
		"parse success": func() {
			if s, err := status.Parse(success); s != nil || err != nil {
				t.Error(s, err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// FuzzText checks on any text that the encoding is JSON that reads back as the
// text, and has the bytes of Go quoting wherever Go quoting is JSON.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"\\\n", "\x01\a\xff", "\u2028é\U000e0001<&>", "\x7f\u0085\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b := status.New(1, text).AppendJSON(nil)
		var got struct{ Msg string }
		if err := json.Unmarshal(b, &got); err != nil || !utf8.Valid(b) {
			t.Fatalf("%q becomes %s: %v", text, b, err)
		}
		if want := string([]rune(text)); got.Msg != want {
			t.Fatalf("%q reads back as %q", text, got.Msg)
		}
		quoted := strconv.Quote(text)
		if old, err := status.Parse([]byte(older(1, text, text))); err != nil || text != "" && old.Msg() != text {
			t.Fatalf("%q of an older peer reads as %v, %v", text, old, err)
		}
		if json.Valid([]byte(quoted)) && !strings.Contains(string(b), `"msg":`+quoted+`,"cause"`) {
			t.Fatalf("old peers write %s, this %s", quoted, b)
		}
	})
}

// FuzzParse checks that no input harms and that what is understood survives
// being written and read again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "null", status.OKJSON, `{"code":5}`, `{"CODE":-1,"msg":"\ud800","cause":"c"}`, "{", `{"code":1e9}`,
		older(7, "a\"\x01\aé<\xff\u2028", "c\n"), older(0, "\x01", ""), `{"code":1,"msg":"\x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := status.Parse(b)
		if err != nil {
			return
		}
		if s.OK() != (s == nil) {
			t.Fatalf("Parse(%q) is a success but not nil", b)
		}
		again, err := status.Parse(s.AppendJSON(nil))
		if err != nil || again.String() != s.String() {
			t.Fatalf("%s reads back as %v, %v", s, again, err)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	for name, s := range map[string]*status.Status{
		"success": nil,
		"failure": status.New(404, "Not Found", "no handler for /math/add"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 256)
			for b.Loop() {
				buf = s.AppendJSON(buf[:0])
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, in := range map[string][]byte{
		"success": []byte(status.OKJSON),
		"failure": []byte(`{"code":404,"msg":"Not Found","cause":"no handler for /math/add"}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := status.Parse(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
