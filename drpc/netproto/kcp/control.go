package kcp

import "encoding/binary"

// kind is what a datagram of this package says.
type kind byte

const (
	hello kind = iota + 1
	cookie
	enter
	welcome
	alive
	here
	closing
	closed
	gone
)

const (
	controlSize = 16
	marker      = "dmk"
)

// control is a datagram of this package. See the package comment for its form.
type control struct {
	conv  uint32
	kind  kind
	value uint64
}

// bytes is the datagram. It is as long as the one it may be an answer to, or shorter, so that nobody can make a server
// send more to a forged address than he sends himself.
func (c control) bytes() []byte {
	b := make([]byte, controlSize)
	binary.LittleEndian.PutUint32(b, c.conv)
	b[4] = byte(c.kind)
	copy(b[5:], marker)
	binary.LittleEndian.PutUint64(b[8:], c.value)
	return b
}

// parseControl returns what b says, unless it is no datagram of this package.
func parseControl(b []byte) (control, bool) {
	if len(b) != controlSize || string(b[5:8]) != marker {
		return control{}, false
	}
	c := control{conv: binary.LittleEndian.Uint32(b), kind: kind(b[4]), value: binary.LittleEndian.Uint64(b[8:])}
	return c, c.kind >= hello && c.kind <= gone
}

// The datagrams of KCP, as far as they must be told apart.
const (
	kcpOverhead = 24
	kcpSN       = 12
	fecHeader   = 8
	fecData     = 0xf1
	fecParity   = 0xf2
)

// segment is what is known of a datagram of KCP without looking further.
type segment struct {
	conv  uint32
	named bool // conv is known; it is not where all is parity
	first bool // it may begin a conversation
}

// parseSegment looks at a datagram of KCP. What cannot be one is not ok.
func parseSegment(b []byte) (s segment, ok bool) {
	if len(b) < kcpOverhead {
		return s, false
	}
	switch binary.LittleEndian.Uint16(b[4:]) {
	case fecParity:
		return s, true
	case fecData:
		b = b[fecHeader:]
	}
	if len(b) < kcpOverhead {
		return s, false
	}
	s.conv, s.named = binary.LittleEndian.Uint32(b), true
	s.first = binary.LittleEndian.Uint32(b[kcpSN:]) == 0
	return s, true
}
