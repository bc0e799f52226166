package httpproto

import (
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
	head := bufpool.Get(0)
	defer bufpool.Put(head)
	var host string
	head.B, host = appendTarget(append(head.B, requestStart...), m.ServiceMethod())
	if n, most := len(head.B), maxLine-len(" HTTP/1.1\r"); n > most {
		return dst, tooLong("bytes of service method", n, most)
	}
	head.B = append(head.B, " HTTP/1.1\r\n"...)
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
	at := len(dst)
	if dst, err = m.AppendBody(dst); err != nil {
		return dst, err
	}
	return insertHead(dst, at, head, m, headers, GetContentType(m.BodyCodec(), textType+charset), zip, numbered)
}

// identity says which headers tell a peer what a frame belongs to.
type identity byte

const (
	numbered  identity = iota // type and number
	anonymous                 // none: the client is no peer
)

// appendReply appends a reply. t is nil for a peer that takes replies in any order.
func appendReply(dst []byte, m *message.Msg, t *turn) ([]byte, error) {
	zip, err := wantsGzip(m)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	code, contentType := 200, ""
	if stat := m.Status(); stat.OK() {
		contentType = GetContentType(m.BodyCodec(), textType)
		if dst, err = m.AppendBody(dst); err != nil {
			return dst, err
		}
	} else {
		contentType = jsonType
		code, dst = appendStatus(dst, stat, t)
		if err = proto.CheckHeaderPart("status", len(dst)-at); err != nil {
			return dst, err
		}
	}
	head := bufpool.Get(0)
	defer bufpool.Put(head)
	head.B = strconv.AppendInt(append(head.B, "HTTP/1.1 "...), int64(code), 10)
	head.B = append(append(append(head.B, ' '), reasons[code]...), "\r\n"...)
	var list [16]header
	if t == nil {
		return insertHead(dst, at, head, m, list[:0], contentType, zip, numbered)
	}
	return insertHeadInTurn(dst, at, head, m, list[:0], contentType, zip, t)
}

// insertHeadInTurn is insertHead for the reply that is t.
func insertHeadInTurn(dst []byte, at int, head *bufpool.Buf, m *message.Msg, headers []header, contentType string, zip bool, t *turn) ([]byte, error) {
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
		zip = t.gzip && err == nil && (zip || len(dst)-at >= minGzip)
	}
	// The session knows the request by another number than its sender.
	seq := m.Seq()
	m.SetSeq(t.number)
	defer m.SetSeq(seq)
	dst, err := insertHead(dst, at, head, m, headers, contentType, zip, who)
	if err == nil && t.head {
		dst = dst[:at+len(head.B)]
	}
	return dst, err
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

// insertHead puts head, completed by the headers, before the body that stands in dst[at:].
func insertHead(dst []byte, at int, head *bufpool.Buf, m *message.Msg, headers []header, contentType string, zip bool, who identity) ([]byte, error) {
	if zip {
		// A receiver holds the body against its limit without the compression, too.
		if err := message.CheckSize(uint64(len(dst)-at), m.SizeLimit()); err != nil {
			return dst, err
		}
		f, err := tfilter.Get(tfilter.GzipId)
		if err != nil {
			return dst, err
		}
		packed, err := f.OnPack(dst[at:])
		if err != nil {
			return dst, err
		}
		dst = append(dst[:at], packed...)
		headers = append(headers, header{name: headerContentEncoding, value: tfilter.GzipName})
		if who == numbered {
			headers = append(headers, header{name: headerFilter, value: f.Name()})
		}
	}
	headers, err := appendMetaHeaders(headers, m)
	if err != nil {
		return dst, err
	}
	n := len(dst) - at
	headers = append(headers,
		header{name: headerContentLength, number: int64(n), numeric: true},
		header{name: headerContentType, value: contentType})
	if who == numbered {
		headers = append(headers,
			header{name: headerMType, number: int64(m.MType()), numeric: true},
			header{name: headerSeq, number: int64(m.Seq()), numeric: true})
	}
	if head.B, err = appendHeaders(head.B, headers); err != nil {
		return dst, err
	}
	head.B = append(head.B, "\r\n"...)
	dst = append(dst, head.B...)
	copy(dst[at+len(head.B):], dst[at:at+n])
	copy(dst[at:], head.B)
	return dst, nil
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
		if n := len(dst) - at; n >= maxLine {
			return dst, tooLong("bytes of header "+h.name, n, maxLine-1)
		}
		dst = append(dst, "\r\n"...)
	}
	if n := len(dst) - start; n > maxFields {
		return dst, tooLong("bytes of headers", n, maxFields)
	}
	return dst, nil
}
