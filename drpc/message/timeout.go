package message

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// SetTimeout notes in the meta how long the caller still waits, in whole milliseconds, rounded up and at least one.
func (m *Msg) SetTimeout(d time.Duration) {
	ms := int64(1)
	if d > time.Millisecond {
		ms = int64((d-1)/time.Millisecond) + 1
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], ms, 10)
	if own := m.flatMeta(); own != nil {
		own.meta = setPair(own.meta, MetaTimeout, text)
		return
	}
	m.Meta().Set(MetaTimeout, string(text))
}

// Timeout returns how long the caller of a received call still waited when it was sent, and whether it said so. What
// is no whole number of milliseconds above zero, or more than a time.Duration holds, says nothing.
func (m *Msg) Timeout() (time.Duration, bool) {
	if m.meta == nil {
		var text []byte
		for key, value := range flatPairs(m.from().meta) {
			if string(key) == MetaTimeout {
				text = value // the last one wins
			}
		}
		return parseTimeout(string(text))
	}
	switch v := m.meta.Get(MetaTimeout).(type) {
	case string:
		return parseTimeout(v)
	case json.Number:
		return parseTimeout(v.String())
	}
	return 0, false
}

func parseTimeout(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false // most calls have none, and pay for no error
	}
	ms, err := strconv.ParseUint(text, 10, 64)
	if err != nil || ms == 0 || ms > math.MaxInt64/uint64(time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}
