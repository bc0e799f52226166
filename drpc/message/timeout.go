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
	if m.meta == nil && len(m.from().meta) == 0 {
		// The only pair there is goes as it is on the wire, without a map.
		raw := append(make([]byte, 0, 40), `{"`+MetaTimeout+`":"`...)
		m.into().meta = append(strconv.AppendInt(raw, ms, 10), `"}`...)
		return
	}
	m.Meta().Set(MetaTimeout, strconv.FormatInt(ms, 10))
}

// Timeout returns how long the caller of a received call still waited when it was sent, and whether it said so. What
// is no whole number of milliseconds above zero, or more than a time.Duration holds, says nothing.
func (m *Msg) Timeout() (time.Duration, bool) {
	if m.MetaLen() == 0 {
		return 0, false
	}
	var text string
	switch v := m.PeekMeta(MetaTimeout).(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	}
	ms, err := strconv.ParseUint(text, 10, 64)
	if err != nil || ms == 0 || ms > math.MaxInt64/uint64(time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}
