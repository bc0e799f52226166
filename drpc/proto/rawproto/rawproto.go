// Package rawproto is the default protocol: a compact binary frame.
//
// A frame is, with all integers in network byte order:
//
//	4 bytes  length of the frame, these 4 bytes included
//	1 byte   version, written as 1, ignored on read
//	1 byte   n, the number of transfer filters
//	n bytes  ids of the transfer filters
//	rest     payload, passed through those filters
//
// and its payload:
//
//	1 byte   length of seq       seq in base 36, lower case
//	1 byte   message type
//	1 byte   length of method    service method
//	2 bytes  length of status    status, JSON
//	2 bytes  length of meta      meta, JSON
//	1 byte   body codec id
//	rest     body, encoded
//
// A frame names at most 16 filters. docs/wire/raw.md shows one byte by byte.
package rawproto

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

const (
	id   byte = 6
	name      = "raw"

	wireVersion = 1
	// lenSize is the size of the length field.
	lenSize = 4
	// prefix is the length field, the version and the number of filters: no frame is shorter.
	prefix = 6
)

// ErrMalformed is what every error about a frame that cannot be parsed matches with errors.Is.
// It is the one of all protocols.
var ErrMalformed = proto.ErrMalformed

// ErrHeaderTooLong is what every error about a header part that does not fit its length field matches with errors.Is.
// It is the one of all protocols.
var ErrHeaderTooLong = proto.ErrHeaderTooLong

// ErrTooManyFilters is what packing or parsing a frame with more than 16 transfer filters gives.
// It is the one of all protocols.
var ErrTooManyFilters = proto.ErrTooManyFilters

// RawProtoFunc makes the protocol instance of one session. It is the default of every endpoint.
func RawProtoFunc(rw proto.IOWithReadBuffer) proto.Proto { return &raw{rw: rw} }

// NewRawProtoFunc returns RawProtoFunc; it exists for symmetry with the other protocols.
func NewRawProtoFunc() proto.ProtoFunc { return RawProtoFunc }

// tooLong is an ErrHeaderTooLong with a text of its own, which the peer's users see as the cause of a status.
type tooLong string

func (e tooLong) Error() string { return string(e) }
func (e tooLong) Unwrap() error { return ErrHeaderTooLong }

type raw struct {
	rw proto.IOWithReadBuffer
}

var (
	_ proto.Framer   = (*raw)(nil)
	_ proto.Borrower = (*raw)(nil)
)

// Version returns 6, "raw".
func (r *raw) Version() (byte, string) { return id, name }

// Pack writes m as one frame.
func (r *raw) Pack(m proto.Message) error { return proto.PackFrame(r.rw, r, m) }

// Unpack reads one frame into m.
func (r *raw) Unpack(m proto.Message) error { return proto.UnpackFrame(r.rw, lenSize, r, m) }

// AppendFrame appends the frame of m to dst.
func (r *raw) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	start := len(dst)
	pipe := m.PipeTFilter()
	if pipe.Len() > proto.MaxFilters {
		return dst, ErrTooManyFilters
	}
	dst = append(dst, 0, 0, 0, 0, wireVersion, byte(pipe.Len()))
	if pipe.Len() > 0 {
		dst = pipe.AppendIDs(dst)
	}
	payload := len(dst)
	dst, err := appendHeader(dst, m)
	if err != nil {
		return dst[:start], err
	}
	if dst, err = m.AppendBody(dst); err != nil {
		return dst[:start], err
	}
	if dst, err = proto.Filter(dst, payload, m); err != nil {
		return dst[:start], err
	}
	n := len(dst) - start
	if err = message.CheckSize(uint64(n), m.SizeLimit()); err != nil {
		return dst[:start], err
	}
	if err = m.SetSize(uint32(n)); err != nil {
		return dst[:start], err
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(n))
	return dst, nil
}

// appendHeader appends everything of the payload before the body. Parts that do not fit their length field are
// refused: a truncated length would make the rest of the stream garbage to the peer.
func appendHeader(dst []byte, m *message.Msg) ([]byte, error) {
	seqAt := len(dst)
	dst = strconv.AppendInt(append(dst, 0), int64(m.Seq()), 36)
	dst[seqAt] = byte(len(dst) - seqAt - 1)
	dst = append(dst, m.MType())

	method := m.ServiceMethod()
	if len(method) > math.MaxUint8 {
		return dst, tooLong("raw proto: not support service method longer than 255")
	}
	dst = append(append(dst, byte(len(method))), method...)

	statusAt := len(dst)
	dst = m.AppendStatus(append(dst, 0, 0))
	if err := putLen(dst, statusAt, "status"); err != nil {
		return dst, err
	}
	metaAt := len(dst)
	dst, err := m.AppendMeta(append(dst, 0, 0))
	if err != nil {
		return dst, err
	}
	if err = putLen(dst, metaAt, "meta"); err != nil {
		return dst, err
	}
	return append(dst, m.BodyCodec()), nil
}

// putLen fills the two-byte length field at at with the length of what was appended behind it.
func putLen(dst []byte, at int, part string) error {
	n := len(dst) - at - 2
	if n > math.MaxUint16 {
		return tooLong(fmt.Sprintf("raw proto: %s of %d bytes, allowed are %d", part, n, math.MaxUint16))
	}
	binary.BigEndian.PutUint16(dst[at:], uint16(n))
	return nil
}

// BorrowsFrames says that frames need not be copied to be parsed.
func (r *raw) BorrowsFrames() {}

// FrameLen returns the length field of the frame.
func (r *raw) FrameLen(head []byte, _ int) (int, error) {
	if len(head) < lenSize {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(head)
	if n < prefix {
		return 0, fmt.Errorf("%w: length field says %d", ErrMalformed, n)
	}
	return int(n), nil
}

// ParseFrame parses frame into m; every inner length is checked against what is really there.
func (r *raw) ParseFrame(frame []byte, m *message.Msg) error {
	if len(frame) < prefix {
		return fmt.Errorf("%w: %d bytes", ErrMalformed, len(frame))
	}
	if err := m.SetSize(uint32(len(frame))); err != nil {
		return err
	}
	// The capacity ends with the frame too: what lies behind it in the buffer is another peer's.
	c := cursor{rest: frame[prefix-1 : len(frame) : len(frame)]}
	ids := c.take(int(c.byte()))
	payload := c.rest
	if c.short {
		return fmt.Errorf("%w: filter ids are cut short", ErrMalformed)
	}
	payload, err := proto.Unfilter(payload, ids, m)
	if err != nil {
		return err
	}
	return parsePayload(payload, m)
}

func parsePayload(payload []byte, m *message.Msg) error {
	c := cursor{rest: payload}
	seq := c.take(int(c.byte()))
	mtype := c.byte()
	method := c.take(int(c.byte()))
	stat := c.take(c.uint16())
	meta := c.take(c.uint16())
	bodyCodec := c.byte()
	if c.short {
		return fmt.Errorf("%w: header is cut short", ErrMalformed)
	}
	n, err := parseSeq(seq)
	if err != nil {
		return err
	}
	m.SetSeq(n)
	m.SetMType(mtype)
	m.ParseServiceMethod(method)
	if err = m.ParseStatus(stat); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err = m.ParseMeta(meta); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	m.SetBodyCodec(bodyCodec)
	return m.UnmarshalBody(c.rest)
}

// parseSeq is strconv.ParseInt for the few characters that occur, without making a string.
func parseSeq(text []byte) (int32, error) {
	digits, neg := text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, neg = digits[1:], true
	}
	// Seven base 36 digits hold every int32 and cannot overflow an int64.
	if len(digits) == 0 || len(digits) > 7 {
		return 0, fmt.Errorf("%w: seq %q", ErrMalformed, text)
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n*36 + int64(c-'0')
		case 'a' <= c && c <= 'z':
			n = n*36 + int64(c-'a') + 10
		case 'A' <= c && c <= 'Z':
			n = n*36 + int64(c-'A') + 10
		default:
			return 0, fmt.Errorf("%w: seq %q", ErrMalformed, text)
		}
	}
	if neg {
		n = -n
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%w: seq %q", ErrMalformed, text)
	}
	return int32(n), nil
}

// cursor takes a payload apart. Once something was asked for that is not there, short stays true and every further
// take is empty, so that one check at the end covers all.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.rest, c.short = nil, true
		return nil
	}
	part := c.rest[:n:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cursor) byte() byte {
	if part := c.take(1); len(part) == 1 {
		return part[0]
	}
	return 0
}

func (c *cursor) uint16() int {
	if part := c.take(2); len(part) == 2 {
		return int(binary.BigEndian.Uint16(part))
	}
	return 0
}
