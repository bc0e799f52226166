package jsonrpcproto

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNestingIsLimited(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{9_999, 10_000, 10_001, 1_000_000} {
		for _, brackets := range []string{"[]", `{"":}`} {
			text := strings.Repeat(brackets[:len(brackets)-1], depth)
			if brackets != "[]" {
				text += "1"
			}
			text += strings.Repeat(brackets[len(brackets)-1:], depth)
			if got, want := valid([]byte(text)), json.Valid([]byte(text)); got != want {
				t.Errorf("%d of %s: %v, encoding/json says %v", depth, brackets, got, want)
			}
		}
	}
}

// FuzzValid: what is JSON here is JSON there, and walking it finds its end.
func FuzzValid(f *testing.F) {
	for _, text := range []string{
		"", " ", "{}", "[]", "[1,2,]", `{"a":1,}`, `{"a" : [ {"b":"c\"\\"} , -0.5e+10 ] }`, "01", "1.", "-", "1e", "0x1", "nul", "null ",
		"true false", `"\u12aF"`, `"\u12a"`, "\"\x00\"", "\"\x7f\xff\"", `"\x"`, `"`, `"\`, `{"a"}`, `{1:2}`, "[", `{"a":`, "\ufeff1",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := valid(b), json.Valid(b); got != want {
			t.Fatalf("%v, encoding/json says %v: %.200q", got, want, b)
		} else if !got {
			return
		}
		value := skipBlanks(b)
		n := valueLen(value)
		if len(skipBlanks(value[n:])) > 0 || !json.Valid(value[:n]) {
			t.Fatalf("the value in %q ends at %d", b, n)
		}
		if value[0] != '{' {
			return
		}
		var theirs map[string]json.RawMessage
		if err := json.Unmarshal(b, &theirs); err != nil {
			t.Fatal(err)
		}
		ours := make(map[string]string)
		for ms := object(value); ; {
			key, v, ok := ms.next()
			if !ok {
				break
			}
			name, ok := text([]byte(`"` + string(key) + `"`))
			if !ok {
				t.Fatalf("key %q", key)
			}
			ours[strings.ToValidUTF8(string(name), "\ufffd")] = string(v)
		}
		for key, v := range theirs {
			if got, ok := ours[strings.ToValidUTF8(key, "\ufffd")]; ok && strings.TrimSpace(got) != strings.TrimSpace(string(v)) {
				t.Fatalf("member %q is %q, encoding/json says %q", key, got, v)
			}
		}
	})
}
