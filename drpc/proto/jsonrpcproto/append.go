package jsonrpcproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

const (
	start   = `{"jsonrpc":"2.0",`
	lineEnd = "\r\n"
)

// AppendFrame appends the line of m to dst. The reply to a request of a batch is kept until it is the last one.
func (p *jsonrpc) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	at := len(dst)
	out, r, err := p.appendMessage(dst, m)
	if err != nil {
		return dst[:at], err
	}
	n := uint64(len(out) - at)
	if err = message.CheckSize(n, m.SizeLimit()); err != nil {
		return dst[:at], err
	}
	if err = m.SetSize(uint32(n)); err != nil {
		return dst[:at], err
	}
	switch {
	case r == nil:
		return out, nil
	case r.batch == nil:
		p.waiting.done(m.Seq())
		return out, nil
	}
	reply := bytes.Clone(out[at : len(out)-len(lineEnd)])
	limit := int(min(uint64(m.SizeLimit()), math.MaxInt))
	return p.waiting.collect(out[:at], r.batch, m.Seq(), reply, limit)
}

// appendMessage appends the line of m, and returns the request that it answers if that is a special one.
func (p *jsonrpc) appendMessage(dst []byte, m *message.Msg) ([]byte, *request, error) {
	if m.PipeTFilter().Len() > 0 {
		return dst, nil, fmt.Errorf("%w: transfer filters (%v)", ErrUnsupported, m.PipeTFilter().Names())
	}
	switch m.MType() {
	case message.TypeCall, message.TypeAuthCall, message.TypePush:
		dst, err := p.appendRequest(dst, m)
		return dst, nil, err
	case message.TypeReply, message.TypeAuthReply:
		r := p.waiting.find(m.Seq())
		dst, err := appendReply(dst, m, r)
		return dst, r, err
	}
	return dst, nil, fmt.Errorf("%w: message type %d", ErrUnsupported, m.MType())
}

func (p *jsonrpc) appendRequest(dst []byte, m *message.Msg) ([]byte, error) {
	method := m.ServiceMethod()
	if !utf8.ValidString(method) {
		return dst, fmt.Errorf("%w: a service method that is %w", ErrUnsupported, proto.ErrNotText)
	}
	if err := proto.CheckHeaderPart("service method", len(method)); err != nil {
		return dst, err
	}
	dst = appendString(append(dst, start+`"method":`...), method)
	dst, err := appendBody(append(dst, `,"params":`...), m)
	if err != nil {
		return dst, err
	}
	if m.MType() != message.TypePush {
		p.calls.Store(true)
		dst = strconv.AppendInt(append(dst, `,"id":`...), int64(m.Seq()), 10)
	}
	if dst, err = appendContext(dst, m); err != nil {
		return dst, err
	}
	return appendEnd(dst, m), nil
}

// appendReply appends the reply to r, which is nil for a peer of this framework.
func appendReply(dst []byte, m *message.Msg, r *request) ([]byte, error) {
	dst = append(dst, start+`"id":`...)
	if r == nil {
		dst = strconv.AppendInt(dst, int64(m.Seq()), 10)
	} else {
		dst = append(dst, r.id...)
	}
	foreign := r != nil && r.foreign
	var err error
	if stat := m.Status(); !stat.OK() {
		if dst, err = appendReplyContext(dst, m, foreign); err != nil {
			return dst, err
		}
		at := len(dst)
		dst = appendError(append(dst, `,"error":`...), stat, foreign)
		if err = proto.CheckHeaderPart("status", len(dst)-at); err != nil {
			return dst, err
		}
		return appendEnd(dst, m), nil
	}
	if dst, err = appendBody(append(dst, `,"result":`...), m); err != nil {
		return dst, err
	}
	if dst, err = appendReplyContext(dst, m, foreign); err != nil {
		return dst, err
	}
	return appendEnd(dst, m), nil
}

// appendReplyContext leaves out what a peer of another framework does not know, unless there is something in it.
func appendReplyContext(dst []byte, m *message.Msg, foreign bool) ([]byte, error) {
	if foreign && m.MetaLen() == 0 {
		return dst, nil
	}
	return appendContext(dst, m)
}

func appendContext(dst []byte, m *message.Msg) ([]byte, error) {
	dst = append(dst, `,"context":`...)
	at := len(dst)
	dst, err := m.AppendMeta(dst)
	if err != nil {
		return dst, err
	}
	return dst, proto.CheckHeaderPart("meta", len(dst)-at)
}

// appendEnd ends a line. What authenticates a session says so in a member that older peers do not look at.
func appendEnd(dst []byte, m *message.Msg) []byte {
	if mtype := m.MType(); mtype == message.TypeAuthCall || mtype == message.TypeAuthReply {
		dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(mtype), 10)
	}
	return append(dst, "}"+lineEnd...)
}

// appendBody appends the body as JSON in one line.
func appendBody(dst []byte, m *message.Msg) ([]byte, error) {
	if m.Body() == nil {
		return append(dst, "null"...), nil
	}
	m.SetBodyCodec(codec.JsonId)
	at := len(dst)
	dst, err := m.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	switch m.Body().(type) {
	case []byte, *[]byte:
		return tidy(dst, at)
	}
	return dst, checkText(dst[at:], m.Body())
}

// tidy makes bytes that bypassed the codec fit into a line, behind dst[:at].
func tidy(dst []byte, at int) ([]byte, error) {
	raw := dst[at:]
	switch {
	case len(raw) == 0:
		return append(dst, "null"...), nil
	case !valid(raw):
		return dst, fmt.Errorf("%w: a body of bytes that are not JSON", ErrUnsupported)
	case bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0:
		return dst, nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return dst, err
	}
	return append(dst[:at], line.Bytes()...), nil
}

// appendError appends a status. The cause is the data, which older peers do not look at.
func appendError(dst []byte, stat *status.Status, foreign bool) []byte {
	code, msg := stat.Code(), stat.Msg()
	standard, known := toStandard[code]
	known = known && foreign
	if known {
		code, msg = standard, codeTexts[standard]
	}
	dst = strconv.AppendInt(append(dst, `{"code":`...), int64(code), 10)
	dst = appendString(append(dst, `,"message":`...), msg)
	dst = append(dst, `,"data":`...)
	// A status without a cause gives its message as one.
	switch cause := fmt.Sprint(stat.Cause()); {
	case known:
		dst = stat.AppendJSON(dst)
	case cause != stat.Msg():
		dst = appendString(dst, cause)
	default:
		dst = append(dst, "null"...)
	}
	return append(dst, '}')
}
