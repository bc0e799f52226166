package pbwire

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

var errText = errors.New("no text")

func TestFieldsComeBackAsTheyWereAppended(t *testing.T) {
	t.Parallel()
	for _, v := range []int32{0, 1, -1, 1<<31 - 1, -1 << 31} {
		for _, text := range []string{"", "x", "longer than one byte of length " + string(make([]byte, 200))} {
			b := AppendInt([]byte(nil), 1, v)
			at := len(b)
			b = CloseBytes(append(b, text...), at, MaxField)
			var f Fields
			if err := f.Scan(b, MaxField, errText); err != nil || f.Ints[1] != v || string(f.Bytes[MaxField]) != text {
				t.Errorf("%d, %q: %v, %+v", v, text, err, f)
			}
		}
	}
}

func TestWhatScanRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		payload []byte
		want    error
	}{
		"a number too high":   {append(protowire.AppendVarint(nil, (uint64(protowire.MaxValidNumber)+1)<<3), 1), ErrNumber},
		"text that is none":   {[]byte{3<<3 | 2, 1, 0xff, 3<<3 | 2, 0}, errText},
		"bytes that are none": {[]byte{4<<3 | 2, 1, 0xff}, nil},
	} {
		if err := new(Fields).Scan(tt.payload, 3, errText); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if new(Fields).Scan([]byte{1 << 3}, 3, errText) == nil {
		t.Error("a field that is cut is taken")
	}
}

func FuzzScan(f *testing.F) {
	f.Add(CloseBytes(append(AppendInt(nil, 1, -5), "hi"...), 11, 3))
	f.Add([]byte{3<<3 | 2, 2, 'h', 'i', 0x0b, 0x0c, 4<<3 | 5, 1, 2, 3, 4})
	f.Add(bytes.Repeat([]byte{0x0b}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		var fields Fields
		if fields.Scan(b, 3, errText) != nil {
			return
		}
		// What was understood is written again, and understood as the same.
		var again []byte
		for i := protowire.Number(1); i <= MaxField; i++ {
			again = AppendInt(again, i, fields.Ints[i])
			at := len(again)
			again = CloseBytes(append(again, fields.Bytes[i]...), at, i)
		}
		var second Fields
		if err := second.Scan(again, 3, errText); err != nil || second.Ints != fields.Ints {
			t.Fatalf("%v: %+v", err, second)
		}
		for i := range fields.Bytes {
			if !bytes.Equal(fields.Bytes[i], second.Bytes[i]) {
				t.Fatalf("field %d", i)
			}
		}
	})
}
