package message

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestTimeoutTravelsInMilliseconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]time.Duration{
		-time.Hour: time.Millisecond, 0: time.Millisecond, 1: time.Millisecond, time.Millisecond: time.Millisecond,
		time.Millisecond + 1: 2 * time.Millisecond, 300 * time.Millisecond: 300 * time.Millisecond,
		math.MaxInt64: 0, // rounded up it does not fit, and is no limit
	} {
		for _, other := range []bool{false, true} {
			var sent, got Msg
			if other {
				sent.Meta().Set("A", "1")
			}
			sent.SetTimeout(time.Minute) // over the connection before
			sent.SetTimeout(d)
			raw, err := sent.AppendMeta(nil)
			if err != nil {
				t.Fatal(err)
			}
			if err = got.ParseMeta(raw); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			if back, ok := got.Timeout(); back != want || ok != (want > 0) {
				t.Errorf("%v is %s and comes as %v %v, want %v", d, raw, back, ok, want)
			}
			if other && got.PeekMeta("A") != "1" {
				t.Errorf("%s has lost the other meta", raw)
			}
		}
	}
}

// Whatever a peer says that cannot be a number of milliseconds above zero says nothing, and is no reason to fail.
func TestTimeoutThatIsNoneSaysNothing(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`{}`, `null`, `{"X-Timeout-Ms":""}`, `{"X-Timeout-Ms":"0"}`, `{"X-Timeout-Ms":"-1"}`, `{"X-Timeout-Ms":"+1"}`,
		`{"X-Timeout-Ms":" 1"}`, `{"X-Timeout-Ms":"1.5"}`, `{"X-Timeout-Ms":"1e3"}`, `{"X-Timeout-Ms":"0x10"}`,
		`{"X-Timeout-Ms":"9223372036855"}`, `{"X-Timeout-Ms":"9223372036854775807"}`, `{"X-Timeout-Ms":"18446744073709551616"}`,
		`{"X-Timeout-Ms":"NaN"}`, `{"X-Timeout-Ms":"\u0661"}`, `{"X-Timeout-Ms":null}`, `{"X-Timeout-Ms":true}`,
		`{"X-Timeout-Ms":[1]}`, `{"X-Timeout-Ms":{"a":1}}`, `{"X-Timeout-Ms":-1}`, `{"X-Timeout-Ms":1.5}`, `{"X-Timeout-Ms":1e99}`,
		`{"x-timeout-ms":"5"}`,
	} {
		var m Msg
		if err := m.ParseMeta([]byte(raw)); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if d, ok := m.Timeout(); ok || d != 0 {
			t.Errorf("%s is %v", raw, d)
		}
	}
	for raw, want := range map[string]time.Duration{
		`{"X-Timeout-Ms":"1"}`: time.Millisecond, `{"X-Timeout-Ms":7}`: 7 * time.Millisecond,
		`{"X-Timeout-Ms":"007","A":"b"}`:     7 * time.Millisecond,
		`{"X-Timeout-Ms":"9223372036854"}`:   9223372036854 * time.Millisecond,
		`{"X-Timeout-Ms":"1","A":"\u00e9"}`:  time.Millisecond,
		`{"A":"1","X-Timeout-Ms":"2","B":3}`: 2 * time.Millisecond,
	} {
		var m Msg
		if err := m.ParseMeta([]byte(raw)); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if d, ok := m.Timeout(); !ok || d != want {
			t.Errorf("%s is %v %v, want %v", raw, d, ok, want)
		}
	}
}

func FuzzTimeout(f *testing.F) {
	for _, text := range []string{"", "0", "1", "-1", "300", "9223372036854", "9223372036855", "99999999999999999999", "1e3", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := json.Marshal(text)
		if err != nil {
			t.Skip()
		}
		var m Msg
		if err = m.ParseMeta([]byte(`{"X-Timeout-Ms":` + string(value) + `}`)); err != nil {
			t.Fatal(err)
		}
		d, ok := m.Timeout()
		if ok != (d > 0) || d < 0 || d%time.Millisecond != 0 {
			t.Errorf("%q is %v %v", text, d, ok)
		}
	})
}
