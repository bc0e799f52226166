package payload

import (
	"fmt"
	"strconv"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/internal/jsontext"
)

// JSONHeader is the header of a message that was a JSON object, its strings decoded. A message may alias them.
type JSONHeader struct {
	Seq                  int32
	MType, BodyCodec     byte
	Method, Status, Meta []byte
}

// Check is CheckHeader for the parts of h.
func (h *JSONHeader) Check() error { return CheckHeader(h.Method, h.Status, h.Meta) }

// SetTo makes h the header of m.
func (h *JSONHeader) SetTo(m *message.Msg) {
	m.SetSeq(h.Seq)
	m.SetMType(h.MType)
	m.ParseServiceMethod(h.Method)
	if err := m.ParseStatus(h.Status); err != nil {
		// A failure that nobody can read is one all the same: it must not pass for success.
		m.SetStatus(status.New(status.UnknownError, "unreadable status"))
	}
	if len(h.Meta) > 0 {
		_ = m.ParseMeta(h.Meta) // without a result: peers have always overlooked a meta that is none
	}
	m.SetBodyCodec(h.BodyCodec)
}

// AppendJSONHead appends what every JSON object of a message begins with: sequence number, type and service method, up
// to the quote that ends it, which is left to what follows.
func AppendJSONHead(dst []byte, m *message.Msg) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.MType()), 10)
	dst = append(dst, `,"serviceMethod":"`...)
	at := len(dst)
	return EscapeHeader(append(dst, m.ServiceMethod()...), at, "service method")
}

// AppendJSONMeta appends the meta of m as the content of a JSON string.
func AppendJSONMeta(dst []byte, m *message.Msg) ([]byte, error) {
	at := len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	return EscapeHeader(dst, at, "meta")
}

// EscapeHeader is Escape for a part of the header, whose size is limited; see proto.CheckHeaderPart.
func EscapeHeader(b []byte, at int, part string) ([]byte, error) {
	if err := proto.CheckHeaderPart(part, len(b)-at); err != nil {
		return b, err
	}
	return Escape(b, at, part)
}

// Escape turns b[at:], the text of part, into the content of a JSON string, where it lies. Its error is proto.ErrNotText.
func Escape(b []byte, at int, part string) ([]byte, error) {
	b, isText := jsontext.Escape(b, at)
	if !isText {
		return b, fmt.Errorf("%s: %w, which a JSON string cannot hold", part, proto.ErrNotText)
	}
	return b, nil
}
