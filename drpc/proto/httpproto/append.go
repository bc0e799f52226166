package httpproto

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/internal/bufpool"
)

const (
	userAgent = "drpc-httpproto/1.1"
	// minGzip is the size in bytes from which a body is compressed for a client that is no peer and takes gzip.
	minGzip = 1 << 10
)

// AppendFrame appends the frame of m to dst. The reply to a client that expects its replies in order is written as soon
// as its turn has come, and nothing is appended.
func (p *httpProto) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	start := len(dst)
	var (
		err error
		t   *turn
	)
	switch m.MType() {
	case message.TypeCall, message.TypeAuthCall:
		dst, err = appendRequest(dst, m)
		p.calls.Store(true)
	case message.TypeReply, message.TypeAuthReply:
		t = p.replies.find(m.Seq())
		dst, err = appendReply(dst, m, t)
	default:
		err = unsupported(fmt.Sprintf("unsupport message type: %d(%s)", m.MType(), message.TypeText(m.MType())))
	}
	n := len(dst) - start
	if err == nil {
		err = message.CheckSize(uint64(n), m.SizeLimit())
	}
	if err == nil {
		err = m.SetSize(uint32(n))
	}
	if err != nil {
		return dst[:start], err
	}
	p.log("sent", dst[start:])
	if t != nil {
		return dst[:start], p.done(t, dst[start:])
	}
	return dst, nil
}

func appendRequest(dst []byte, m *message.Msg) ([]byte, error) {
	start := len(dst)
	dst = append(dst, requestStart...)
	dst, host := appendTarget(dst, m.ServiceMethod())
	if n := len(dst) - start; n > maxLine {
		return dst, tooLong("bytes of service method", n, maxLine)
	}
	dst = append(dst, " HTTP/1.1\r\n"...)

	body := bufpool.Get(0)
	defer bufpool.Put(body)
	encoded, err := m.AppendBody(body.B)
	if err != nil {
		return dst, err
	}
	body.B = encoded
	var list [16]header
	headers := append(list[:0],
		header{name: headerAcceptEncoding, value: tfilter.GzipName},
		header{name: headerUserAgent, value: userAgent})
	if host != "" {
		if !validValue(host) {
			return dst, unsupported("http proto: the host of the service method has control characters")
		}
		headers = append(headers, header{name: headerHost, value: host})
	}
	zip, err := wantsGzip(m)
	if err != nil {
		return dst, err
	}
	return appendMessage(dst, m, headers, GetContentType(m.BodyCodec(), textType+charset), encoded, zip, numbered)
}

// identity says which headers tell a peer what a frame belongs to.
type identity byte

const (
	numbered  identity = iota // type and number
	anonymous                 // none: the client is no peer
)

// appendReply appends a reply. t is nil for a peer that takes replies in any order.
func appendReply(dst []byte, m *message.Msg, t *turn) ([]byte, error) {
	body := bufpool.Get(0)
	defer bufpool.Put(body)
	code, contentType := 200, ""
	var err error
	if stat := m.Status(); stat.OK() {
		if body.B, err = m.AppendBody(body.B); err != nil {
			return dst, err
		}
		contentType = GetContentType(m.BodyCodec(), textType)
	} else {
		code, body.B = appendStatus(body.B, stat, t)
		contentType = jsonType
		if err = proto.CheckHeaderPart("status", len(body.B)); err != nil {
			return dst, err
		}
	}
	zip, err := wantsGzip(m)
	if err != nil {
		return dst, err
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(append(append(dst, ' '), reasons[code]...), "\r\n"...)
	var list [16]header
	if t == nil {
		return appendMessage(dst, m, list[:0], contentType, body.B, zip, numbered)
	}
	return appendInTurn(dst, m, list[:0], contentType, body.B, zip, t)
}

// appendInTurn appends the rest of a reply that is t.
func appendInTurn(dst []byte, m *message.Msg, headers []header, contentType string, body []byte, zip bool, t *turn) ([]byte, error) {
	switch {
	case t.last:
		headers = append(headers, header{name: headerConnection, value: "close"})
	case t.old:
		headers = append(headers, header{name: headerConnection, value: "keep-alive"})
	}
	who := numbered
	if !t.peer {
		who = anonymous
		_, err := tfilter.Get(tfilter.GzipId)
		zip = t.gzip && err == nil && (zip || len(body) >= minGzip)
	}
	// The session knows the request by another number than its sender.
	seq := m.Seq()
	m.SetSeq(t.number)
	defer m.SetSeq(seq)
	before := len(dst)
	dst, err := appendMessage(dst, m, headers, contentType, body, zip, who)
	if err == nil && t.head {
		dst = dst[:before+headLen(dst[before:])]
	}
	return dst, err
}

// headLen is the length of what stands before the body of a frame that this package made.
func headLen(frame []byte) int {
	return bytes.Index(frame, []byte("\r\n\r\n")) + 4
}

// appendStatus appends a failure as a reply has it, and returns the HTTP status that says so.
func appendStatus(dst []byte, stat *status.Status, t *turn) (int, []byte) {
	if t == nil || t.peer {
		return businessError, stat.AppendJSON(dst)
	}
	if unknown := codec.UnknownIDError(0); stat.Code() == 400 && t.unknown != "" && errors.As(stat.Cause(), &unknown) {
		stat = unknownType(t.unknown).status()
	}
	code, ok := httpCodes[stat.Code()]
	if !ok {
		code = businessError
	}
	return code, stat.AppendJSON(dst)
}

func unknownType(contentType string) *fault {
	return &fault{415, fmt.Errorf("http proto: no codec for the content type %q", contentType)}
}

// wantsGzip reports whether the filters of m are gzip, once or several times. There is a form for no other.
func wantsGzip(m *message.Msg) (bool, error) {
	pipe := m.PipeTFilter()
	if pipe.Len() > proto.MaxFilters {
		return false, proto.ErrTooManyFilters
	}
	var err error
	pipe.Iterator(func(_ int, f tfilter.TransferFilter) bool {
		if f.Name() != tfilter.GzipName {
			err = unsupported("unsupport tfilter : " + f.Name())
		}
		return err == nil
	})
	return pipe.Len() > 0, err
}

// appendMessage appends headers and body.
func appendMessage(dst []byte, m *message.Msg, headers []header, contentType string, body []byte, zip bool, who identity) ([]byte, error) {
	if zip {
		f, err := tfilter.Get(tfilter.GzipId)
		if err != nil {
			return dst, err
		}
		if body, err = f.OnPack(body); err != nil {
			return dst, err
		}
		headers = append(headers, header{name: headerContentEncoding, value: tfilter.GzipName})
		if who == numbered {
			headers = append(headers, header{name: headerFilter, value: f.Name()})
		}
	}
	headers, err := appendMetaHeaders(headers, m)
	if err != nil {
		return dst, err
	}
	headers = append(headers,
		header{name: headerContentLength, number: int64(len(body)), numeric: true},
		header{name: headerContentType, value: contentType})
	if who == numbered {
		headers = append(headers,
			header{name: headerMType, number: int64(m.MType()), numeric: true},
			header{name: headerSeq, number: int64(m.Seq()), numeric: true})
	}
	if dst, err = appendHeaders(dst, headers); err != nil {
		return dst, err
	}
	return append(append(dst, "\r\n"...), body...), nil
}

// appendHeaders appends the headers sorted by name, within the limits that receivers have.
func appendHeaders(dst []byte, headers []header) ([]byte, error) {
	if len(headers) > maxLines {
		return dst, tooLong("headers", len(headers), maxLines)
	}
	slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.name, b.name) })
	start := len(dst)
	for _, h := range headers {
		at := len(dst)
		dst = append(append(dst, h.name...), ": "...)
		if h.numeric {
			dst = strconv.AppendInt(dst, h.number, 10)
		} else {
			dst = append(dst, h.value...)
		}
		if n := len(dst) - at; n > maxLine {
			return dst, tooLong("bytes of header "+h.name, n, maxLine)
		}
		dst = append(dst, "\r\n"...)
	}
	if n := len(dst) - start; n > maxHead-maxLine {
		return dst, tooLong("bytes of headers", n, maxHead-maxLine)
	}
	return dst, nil
}
