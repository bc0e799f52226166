package jsonproto_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/status"
)

var kit = prototest.Kit{New: jsonproto.NewJSONProtoFunc()}

func TestMain(m *testing.M) {
	prototest.RegisterFilters()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

var goldens = []prototest.GoldenFrame{
	{Name: "call", Message: func() message.Message { return prototest.Call(1, message.WithSetMeta("k", "v")) }},
	{Name: "call_md5", Message: func() message.Message { return prototest.Call(1, message.WithTFilterPipe('5')) }},
	{Name: "reply_err", Message: func() message.Message { return prototest.Failed(7, status.New(404, "Not Found")) }},
}

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	kit.Goldens(t, goldens, 4)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	kit.Version(t, 106, "json")
}

func TestPackingIsDeterministic(t *testing.T) {
	t.Parallel()
	kit.Deterministic(t)
}

// wire is a payload as encoding/json sees it.
type wire struct {
	Seq           int32  `json:"seq"`
	MType         byte   `json:"mtype"`
	ServiceMethod string `json:"serviceMethod"`
	Status        string `json:"status"`
	Meta          string `json:"meta"`
	BodyCodec     byte   `json:"bodyCodec"`
	Body          string `json:"body"`
}

// everyRune is a text with each control character and one rune of each kind that somebody could escape.
func everyRune() string {
	var b strings.Builder
	for c := range rune(0xa1) {
		b.WriteRune(c)
	}
	b.WriteString("é\u00ad\u200b\u2028\u2029\ufeff\ufffd\uffff世界😀\U000e0001\U0010ffff</script>&'\\\\\"\"\\\"")
	return b.String()
}

func TestPayloadIsJSONWhateverTheText(t *testing.T) {
	t.Parallel()
	odd := everyRune()
	for _, text := range []string{"", "a", `"`, `\`, `\"`, "\n", "ends in a backslash\\", "\"begins", odd, strings.Repeat(odd, 20)} {
		m := prototest.Call(3, message.WithServiceMethod(text), message.WithBody(text), message.WithBodyCodec("plain"),
			message.WithStatus(status.New(-1, text, text)), message.WithSetMeta("k"+text, text))
		frame := kit.Pack(t, m)
		var got wire
		if err := json.Unmarshal(frame[5:], &got); err != nil {
			t.Fatalf("%.100q: %v\n%.200s", text, err, frame[5:])
		}
		meta, _ := message.From(m).AppendMeta(nil)
		want := wire{3, 1, text, m.Status().String(), string(meta), 's', text}
		if got != want {
			t.Errorf("encoding/json reads\n%.300q, want\n%.300q", fmt.Sprint(got), fmt.Sprint(want))
		}
		for how, p := range kit.Parse(t, frame, func() any { return new(string) }) {
			if p.Err != nil {
				t.Fatalf("%s of %.100q: %v", how, text, p.Err)
			}
			prototest.SameHeader(t, how, p, m)
			if body := *p.Body().(*string); body != text {
				t.Errorf("%s: body %.100q, want %.100q", how, body, text)
			}
		}
	}
}

func TestJSONBodiesSurvive(t *testing.T) {
	t.Parallel()
	for _, want := range []any{
		nil, "", "a\"b\\c\nd", everyRune(), map[string]any{"q": `C:\new\dir`, "é": []any{"\\n", "\\\\", `\"`}},
	} {
		m := prototest.Call(1, message.WithBody(want))
		for how, got := range kit.Parse(t, kit.Pack(t, m), func() any { return new(any) }) {
			if body := *got.Body().(*any); got.Err != nil || !reflect.DeepEqual(body, want) {
				t.Errorf("%s: %v, body %#v, want %#v", how, got.Err, body, want)
			}
		}
	}
}

// frame puts a frame without filters around a payload.
func frame(payload string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload)+1)), "\x00"+payload...)
}

// older is the frame of an older peer: the header quoted as Go source is, and only quotes escaped in the body.
func older(seq int, method, stat, meta string, bodyCodec byte, body string) []byte {
	return frame(fmt.Sprintf(`{"seq":%d,"mtype":1,"serviceMethod":%q,"status":%q,"meta":%q,"bodyCodec":%d,"body":"%s"}`,
		seq, method, stat, meta, bodyCodec, strings.ReplaceAll(body, `"`, `\"`)))
}

func TestBrokenEscapingOfOlderPeersIsRepaired(t *testing.T) {
	t.Parallel()
	const binaryBody = "\x00\x01\xff\xfe\"\\\x80"
	for _, tt := range []struct {
		name  string
		codec byte
		body  string
	}{
		{"nothing to escape", 'j', `[1,2]`},
		{"quotes", 'j', `{"a":"b"}`},
		{"object does not parse: escaped quote", 'j', `{"q":"a\"b"}`},
		{"object does not parse: all of it", 'j', `{"q":"a\"b\\c\nd"}`},
		{"object does not parse: backslash at the end", 'j', `"a\\"`},
		{"object does not parse: unknown escape", 's', `C:\dir`},
		{"object parses, body does not: line feed", 'j', `"a\nb"`},
		{"object parses, body does not: path", 'j', `{"p":"C:\\dir"}`},
		{"object parses, body does not: escaped quote by number", 'j', `"\u0022"`},
		{"same text either way", 'j', `"\u00e9\/"`},
		{"control characters", 's', "line\nline\ttab\x00\a"},
		{"quote alone", 's', `"`},
		{"ends like the object", 's', `x"}`},
		{"empty", 0, ""},
		{"no UTF-8", 'p', binaryBody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := older(5, "/m", status.OKJSON, `{"k":"v"}`, tt.codec, tt.body)
			for how, got := range kit.Parse(t, b, func() any { return new([]byte) }) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				if body := string(*got.Body().(*[]byte)); !sameBody(tt.codec, body, tt.body) {
					t.Errorf("%s: body %q, want %q", how, body, tt.body)
				}
				if got.Seq() != 5 || got.MType() != 1 || got.ServiceMethod() != "/m" || got.Meta().Get("k") != "v" || !got.StatusOK() {
					t.Errorf("%s: %v", how, got)
				}
			}
		})
	}
}

// sameBody compares what JSON bodies mean, other bodies byte by byte.
func sameBody(id byte, got, want string) bool {
	if id != codec.JsonId {
		return got == want
	}
	var g, w any
	return json.Unmarshal([]byte(got), &g) == nil && json.Unmarshal([]byte(want), &w) == nil && reflect.DeepEqual(g, w)
}

func TestGoldenFrameWithBrokenEscapingIsRead(t *testing.T) {
	t.Parallel()
	for how, got := range kit.Parse(t, prototest.Golden(t, "old_body_with_escapes"), func() any { return new(map[string]string) }) {
		want := map[string]string{"q": "a\"b\\c\nd"}
		if body := *got.Body().(*map[string]string); got.Err != nil || !reflect.DeepEqual(body, want) {
			t.Errorf("%s: %v, body %q", how, got.Err, body)
		}
	}
}

func TestGoQuotingOfOlderPeersIsRead(t *testing.T) {
	t.Parallel()
	// The status of a golden frame of the raw protocol, as older peers write it.
	const text = `{"code":-1,"msg":"a\"\x01\aé<\xff\u2028","cause":"c\n"}`
	b := older(7, "/a\a\x7f\U000e0001", text, "{\"k\":\"\x7f\"}", 0, "")
	for how, got := range kit.Parse(t, b, nil) {
		if got.Err != nil {
			t.Fatalf("%s: %v", how, got.Err)
		}
		stat := got.Status(true)
		if stat.Code() != -1 || stat.Msg() != "a\"\x01\aé<\xff\u2028" || stat.Cause().Error() != "c\n" {
			t.Errorf("%s: status %v", how, stat)
		}
		if got.ServiceMethod() != "/a\a\x7f\U000e0001" || got.Meta().Get("k") != "\x7f" {
			t.Errorf("%s: %v", how, got)
		}
	}
}

func TestUnreadableStatusIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"%", "[]", `{"code":0`, `{"code":1,"msg":"\x"}`, `{"code":1,"msg":"\x01","cause":""} `, `{"code":99999999999,"msg":"","cause":""}`} {
		for how, got := range kit.Parse(t, older(1, "/m", text, "{}", 0, ""), nil) {
			if got.Err != nil || got.Status(true).Code() != status.UnknownError {
				t.Errorf("%s of %s: %v, status %v", how, text, got.Err, got.Status())
			}
		}
	}
}

func TestWhatIsReadBesideOurOwnForm(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"other order":            `{"body":"[1]","bodyCodec":106,"meta":"{\"k\":\"v\"}","status":"","serviceMethod":"/m","mtype":1,"seq":5}`,
		"spaces":                 "{ \"seq\" : 5,\n\t\"mtype\":1,\"serviceMethod\":\"/m\",\"meta\":\"{\\\"k\\\":\\\"v\\\"}\",\"bodyCodec\":106,\"body\":\"[1]\" }\r\n",
		"unknown keys":           `{"x":{"y":[1,"\""]},"seq":5,"mtype":1,"serviceMethod":"/m","meta":"{\"k\":\"v\"}","bodyCodec":106,"body":"[1]","z":null}`,
		"objects for strings":    `{"seq":5,"mtype":1,"serviceMethod":"/m","status":{"code":0,"msg":"","cause":""},"meta":{"k":"v"},"bodyCodec":106,"body":[1]}`,
		"null status":            `{"seq":5,"mtype":1,"serviceMethod":"/m","status":null,"meta":{"k":"v"},"bodyCodec":106,"body":[1]}`,
		"escapes nobody needs":   `{"seq":5,"mtype":1,"serviceMethod":"\/\u006D","status":"","meta":"\u007b\"k\":\"v\"}","bodyCodec":106,"body":"\u005b1\u005D"}`,
		"escaped keys":           `{"\u0073eq":5,"mtype":1,"serviceMethod":"/m","meta":"{\"k\":\"v\"}","bodyCodec":106,"body":"[1]"}`,
		"bytes behind the meta":  `{"seq":5,"mtype":1,"serviceMethod":"/m","status":"","meta":"{\"k\":\"v\"}{}%","bodyCodec":106,"body":"[1]"}`,
		"keys in other case":     `{"SEQ":5,"mType":1,"servicemethod":"/m","status":"","META":"{\"k\":\"v\"}","bodycodec":106,"Body":"[1]"}`,
		"the last of two counts": `{"seq":4,"seq":5,"mtype":1,"serviceMethod":"/m","status":"","meta":"{\"k\":\"v\"}","bodyCodec":106,"body":"[1]"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, got := range kit.Parse(t, frame(payload), func() any { return new([]int) }) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				if got.Seq() != 5 || got.MType() != 1 || got.ServiceMethod() != "/m" || !got.StatusOK() ||
					got.Meta().Get("k") != "v" || !reflect.DeepEqual(got.Body(), &[]int{1}) {
					t.Errorf("%s: %v", how, got)
				}
			}
		})
	}
}

func TestEveryEscapeIsDecodedAsJSONWantsIt(t *testing.T) {
	t.Parallel()
	const escapes = `\"\\\/\b\f\n\r\t\u0000\u001F\u00e9\u4E16\ud83d\ude00-\ud83d-\ude00\ud83d\ud83d\ude00\ud83d\u0041\ud83d`
	const want = "\"\\/\b\f\n\r\t\x00\x1fé世😀-\ufffd-\ufffd\ufffd😀\ufffdA\ufffd"
	for _, payload := range []string{
		`{"seq":1,"mtype":1,"serviceMethod":"%[1]s","status":"","meta":"","bodyCodec":115,"body":"%[1]s"}`,
		`{"body":"%[1]s","seq":1,"mtype":1,"serviceMethod":"%[1]s","status":"","meta":"","bodyCodec":115}`,
	} {
		for how, got := range kit.Parse(t, frame(fmt.Sprintf(payload, escapes)), func() any { return new(string) }) {
			if got.Err != nil || got.ServiceMethod() != want || *got.Body().(*string) != want {
				t.Errorf("%s: %v, method %q, body %q", how, got.Err, got.ServiceMethod(), *got.Body().(*string))
			}
		}
	}
}

func TestMissingKeysAreZero(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		`{}`, `{"meta":"","status":""}`, `{"meta":null,"body":null,"serviceMethod":null}`, `{"meta":"%%"}`, `{"meta":[1]}`,
	} {
		for how, got := range kit.Parse(t, frame(payload), func() any { return new([]byte) }) {
			if got.Err != nil || got.MType() != message.TypeUndefined || got.Meta().Size() != 0 || !got.StatusOK() || len(*got.Body().(*[]byte)) != 0 {
				t.Errorf("%s of %s: %v %v", how, payload, got.Err, got)
			}
		}
	}
}

// Once upon a time the reader guessed among YAML, TOML and XML.
func TestOnlyJSONIsRead(t *testing.T) {
	t.Parallel()
	ours := string(kit.Pack(t, prototest.Call(1))[5:])
	tests := map[string]string{
		"nothing":                  "",
		"yaml":                     "seq: 1\nmtype: 1\n",
		"toml":                     "seq = 1\nmtype = 1\n",
		"xml":                      "<doc><seq>1</seq><mtype>1</mtype></doc>",
		"list":                     "[1]",
		"string":                   `"seq"`,
		"two objects":              ours + "{}",
		"bytes behind":             ours + "x",
		"type is text":             strings.Replace(ours, `"mtype":1`, `"mtype":"1"`, 1),
		"type too large":           strings.Replace(ours, `"mtype":1`, `"mtype":256`, 1),
		"type below zero":          strings.Replace(ours, `"mtype":1`, `"mtype":-1`, 1),
		"seq too large":            strings.Replace(ours, `"seq":1`, `"seq":2147483648`, 1),
		"seq far too large":        strings.Replace(ours, `"seq":1`, `"seq":18446744073709551617`, 1),
		"seq with a zero in front": strings.Replace(ours, `"seq":1`, `"seq":01`, 1),
		"seq with a fraction":      strings.Replace(ours, `"seq":1`, `"seq":1.5`, 1),
		"no seq":                   strings.Replace(ours, `"seq":1`, `"seq":`, 1),
		"codec too large":          strings.Replace(ours, `"bodyCodec":106`, `"bodyCodec":999`, 1),
		"method is a number":       strings.Replace(ours, `"/math/add"`, `1`, 1),
		"Latin-1, other order":     "{\"mtype\":1,\"seq\":1,\"body\":\"\xe9\"}",
		"bad quoting in the head":  strings.Replace(ours, `/math/add`, `\q`, 1),
		"deep":                     `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}",
	}
	for i := range ours {
		tests[fmt.Sprintf("cut after %d bytes", i)] = ours[:i]
	}
	for name, payload := range tests {
		for how, got := range kit.Parse(t, frame(payload), nil) {
			if !errors.Is(got.Err, proto.ErrMalformed) {
				t.Errorf("%s, %s: %v", name, how, got.Err)
			}
		}
	}
}

func TestSequenceNumbers(t *testing.T) {
	t.Parallel()
	for _, seq := range []int32{0, 1, -1, 10, math.MaxInt32, math.MinInt32} {
		for how, got := range kit.Parse(t, kit.Pack(t, prototest.Call(seq)), nil) {
			if got.Err != nil || got.Seq() != seq {
				t.Errorf("%s: %d, %v, want %d", how, got.Seq(), got.Err, seq)
			}
		}
	}
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	kit.Refuses(t, "json proto: ", map[string]prototest.Refusal{
		"method is not UTF-8": {With: message.WithServiceMethod("/\xff"), Want: jsonproto.ErrNotText},
		"body is not UTF-8":   {With: message.WithBody([]byte("\x08\xff")), Want: jsonproto.ErrNotText},
		"body is half a rune": {With: message.WithBody([]byte("é")[:1]), Want: jsonproto.ErrNotText},
		"body is a surrogate": {With: message.WithBody([]byte("\xed\xa0\x80")), Want: jsonproto.ErrNotText},
	})
}

func TestLongHeaderPartsAreNotTaken(t *testing.T) {
	t.Parallel()
	fits, long := strings.Repeat("x", proto.MaxHeaderPart), strings.Repeat("x", proto.MaxHeaderPart+1)
	for _, payload := range []string{`{"seq":1,"mtype":1,"serviceMethod":"%s"}`, `{"status":"%s"}`, `{"meta":"%s"}`, `{"meta":["%[1]s"]}`} {
		for how, got := range kit.Parse(t, frame(fmt.Sprintf(payload, long)), nil) {
			if !errors.Is(got.Err, proto.ErrHeaderTooLong) {
				t.Errorf("%s of %s: %v", how, payload, got.Err)
			}
		}
	}
	for how, got := range kit.Parse(t, older(1, fits, "", "", 0, ""), nil) {
		if got.Err != nil || got.ServiceMethod() != fits {
			t.Errorf("%s: %v", how, got.Err)
		}
	}
}

func TestOrdinaryFramesCostNoAllocation(t *testing.T) {
	m := message.From(prototest.Call(1, message.WithBody([]byte(`{"a":"b"}`))))
	in, buf := new(message.Msg), make([]byte, 0, 1024)
	pack := func() []byte {
		b, err := kit.Framer(t).AppendFrame(buf, m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	f := kit.Framer(t)
	if n := testing.AllocsPerRun(100, func() {
		b, err := f.AppendFrame(buf, m)
		if err == nil {
			in.Clear()
			in.DeferBody()
			err = f.ParseFrame(b, in)
		}
		if err != nil || string(in.EncodedBody()) != `{"a":"b"}` {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %q", n, pack())
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
