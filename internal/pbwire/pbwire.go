// Package pbwire is what the protocols have in common that frame messages as Protocol Buffers: fields appended, and a
// payload taken apart by a message of at most [MaxField] fields of type int32, string and bytes. The format is that of
// https://protobuf.dev/programming-guides/encoding.
//
// Its functions may be used concurrently.
package pbwire

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxField is the highest number of a field that [Fields] keeps.
const MaxField = 8

// ErrNumber is the error of a field number above the highest there is.
var ErrNumber = fmt.Errorf("a field number is above %d", protowire.MaxValidNumber)

// AppendInt appends a field of type int32, nothing for 0. A negative one is extended to 64 bits, as the format demands.
func AppendInt(dst []byte, field protowire.Number, v int32) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), uint64(int64(v)))
}

// CloseBytes makes a field of b[at:], nothing where that is empty, whose length was not known before. Moving it once costs
// less than to encode it elsewhere first.
func CloseBytes(b []byte, at int, field protowire.Number) []byte {
	n := len(b) - at
	if n == 0 {
		return b
	}
	var room [1 + 10]byte // a tag of one byte and a varint
	head := protowire.AppendVarint(protowire.AppendTag(room[:0], field, protowire.BytesType), uint64(n))
	b = append(b, head...)
	copy(b[at+len(head):], b[at:at+n])
	copy(b[at:], head)
	return b
}

// Fields is a payload taken apart, by the numbers of the fields. Its byte slices are parts of the payload.
type Fields struct {
	Ints  [MaxField + 1]int32
	Bytes [MaxField + 1][]byte
}

// Scan reads all fields; text is the number of the one that is a string, and notText the error where it is not UTF-8. Of
// one that comes more than once the last counts; one of another wire type than it should have is an unknown one, and
// skipped. So Protocol Buffers wants it, and so it refuses a string that is none even where a later one counts. Other
// errors are ErrNumber and those of protowire.
func (f *Fields) Scan(b []byte, text protowire.Number, notText error) error {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if field > protowire.MaxValidNumber {
			return ErrNumber
		}
		b = b[n:]
		switch known := field <= MaxField; {
		case known && typ == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			f.Ints[field] = int32(v) // the lower half is the int32 of what was sent
		case known && typ == protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			if field == text && !utf8.Valid(v) {
				return notText
			}
			f.Bytes[field] = v[:len(v):len(v)]
		default:
			n = protowire.ConsumeFieldValue(field, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
	}
	return nil
}
