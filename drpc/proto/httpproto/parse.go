package httpproto

import (
	"bytes"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// maxSwallowed is how many bytes are read and dropped behind the last request of a connection, for the client to read
// its last reply before the connection is reset.
const maxSwallowed = 8 << 20

// parsed is one frame taken apart.
type parsed struct {
	firstLine
	framing
	own    [ownCount][]byte // nil for those that are not there
	accept []byte           // Accept-Encoding
	fields []field          // all other headers
	body   []byte
}

// ParseFrame parses frame into m. A request that cannot be read is answered here.
func (p *httpProto) ParseFrame(frame []byte, m *message.Msg) error {
	if p.closing {
		if p.swallowed += len(frame); p.swallowed > maxSwallowed {
			return malformed("more data behind the last request")
		}
		return proto.ErrNoMessage
	}
	p.log("received", frame)
	if err := message.CheckSize(uint64(len(frame)), m.SizeLimit()); err != nil {
		return err
	}
	f := parsed{framing: framing{length: -1}, fields: p.fields[:0]}
	err := f.parse(frame)
	p.fields = f.fields
	if p.fault != nil { // what could be read says whom to answer
		return p.refuse(&f, p.fault, true)
	}
	if err != nil {
		if f.reply || p.calls.Load() {
			return err
		}
		return p.refuse(&f, err, true)
	}
	if f.reply {
		err = p.parseReply(&f, m)
	} else {
		err = p.parseRequest(&f, m)
	}
	clear(p.fields)
	if err != nil {
		m.PipeTFilter().Reset()
		_ = m.ParseMeta(emptyMeta)
		return err
	}
	return m.SetSize(uint32(len(frame)))
}

// parse takes frame apart. Every length is checked against what is there.
func (f *parsed) parse(frame []byte) error {
	var s scan
	rest := frame[:len(frame):len(frame)]
	for first := true; ; {
		line, ok, err := s.line(rest)
		switch {
		case err != nil:
			return err
		case !ok:
			return malformed("the head is cut short")
		case first && len(line) == 0:
		case first:
			if err = f.firstLine.parse(line); err != nil {
				return err
			}
			first = false
		case len(line) == 0:
			return f.setBody(rest[s.pos:])
		default:
			if err = f.header(line); err != nil {
				return err
			}
		}
		if s.lines++; s.lines > maxLines+3 {
			return tooLong("headers", s.lines, maxLines)
		}
	}
}

// header takes one header.
func (f *parsed) header(line []byte) error {
	h, ok := splitField(line)
	if !ok {
		return malformed("a header is not one")
	}
	if mine, err := f.take(h); mine || err != nil {
		return err
	}
	if i := ownIndex(h.name); i >= 0 {
		switch {
		case i == ownCount:
		case f.own[i] == nil || i == ownConnection:
			f.own[i] = h.value
		default:
			return malformed("header %s comes twice", ownHeaders[i])
		}
		return nil
	}
	switch {
	case same(h.name, "accept-encoding"):
		f.accept = h.value
	case same(h.name, "host") && indexOf(f.fields, h.name) >= 0:
		return malformed("header %s comes twice", headerHost)
	}
	f.fields = append(f.fields, h)
	return nil
}

// setBody takes what follows the head.
func (f *parsed) setBody(rest []byte) error {
	if err := f.check(&f.firstLine); err != nil {
		return err
	}
	if f.chunked {
		body, ok := dechunk(rest)
		if !ok {
			return malformed("the chunks are not whole")
		}
		f.body = body
		return nil
	}
	if f.length != int64(len(rest)) {
		return malformed("the body has %d bytes, %s is %d", len(rest), headerContentLength, f.length)
	}
	f.body = rest
	return nil
}

func (p *httpProto) parseRequest(f *parsed, m *message.Msg) error {
	target, query := splitTarget(f.target)
	mtype, ok := f.typeOf(message.TypeCall, message.TypeAuthCall)
	if !ok {
		return p.refuse(f, malformed("%s %q of a request", headerMType, f.own[ownMType]), false)
	}
	seq, ok := parseInt32(f.own[ownSeq])
	if f.own[ownSeq] != nil && !ok {
		f.own[ownSeq] = nil
		return p.refuse(f, malformed("%s is no number", headerSeq), true)
	}
	pairs := appendQuery(nil, query)
	if len(pairs) > maxLines {
		return p.refuse(f, tooLong("pairs in the query", len(pairs), maxLines), false)
	}
	codecID := codecOf(f.own[ownContentType], 0)
	if len(f.body) == 0 && codecID == codec.PlainId {
		codecID = 0 // what a peer says that has no body and no codec; the reply is free to have its own
	}
	body, err := f.inflate(m)
	if err != nil {
		return p.refuse(f, err, false)
	}
	if err = setMeta(m, pairs, f.fields); err != nil {
		return p.refuse(f, err, false)
	}
	if p.replies.ordered = p.replies.ordered || f.own[ownSeq] == nil; p.replies.ordered || f.special() {
		t := f.turn(seq)
		if codecID == 0 && len(f.own[ownContentType]) > 0 {
			t.unknown = string(f.own[ownContentType])
		}
		if err = p.replies.add(t); err != nil {
			return err
		}
		p.closing = t.last
		seq = t.seq
	}
	m.SetStatus(nil)
	m.SetSeq(seq)
	m.SetMType(mtype)
	m.ParseServiceMethod(target)
	m.SetBodyCodec(codecID)
	return m.UnmarshalBody(body)
}

// typeOf returns the message type: what X-Mtype says, if it is one of these, or the first of them without.
func (f *parsed) typeOf(plain, auth byte) (byte, bool) {
	if f.own[ownMType] == nil {
		return plain, true
	}
	n, ok := digits(f.own[ownMType])
	return byte(n), ok && (n == int64(plain) || n == int64(auth))
}

// special reports whether the reply to a request is written differently from others.
func (f *parsed) special() bool { return f.old || string(f.method) == "HEAD" || f.ends() }

// ends reports whether the request is the last of its connection.
func (f *parsed) ends() bool {
	return hasToken(f.own[ownConnection], "close") || f.old && !hasToken(f.own[ownConnection], "keep-alive")
}

func (f *parsed) turn(number int32) *turn {
	return &turn{
		number: number, peer: f.own[ownSeq] != nil, old: f.old, last: f.ends(),
		head: string(f.method) == "HEAD", gzip: accepts(f.accept, tfilter.GzipName),
	}
}

// refuse answers a request that no session ever sees. fatal says that nothing behind it can be read either.
func (p *httpProto) refuse(f *parsed, why error, fatal bool) error {
	fault := asFault(why)
	number, _ := parseInt32(f.own[ownSeq])
	t := f.turn(number)
	t.last = t.last || fatal
	if err := p.replies.add(t); err != nil {
		return err
	}
	p.closing = t.last
	reply := message.NewMessage(message.WithMType(message.TypeReply), message.WithStatus(fault.status()))
	reply.SetSeq(t.seq)
	if _, err := p.AppendFrame(nil, message.From(reply)); err != nil {
		return errors.Join(fault.err, err)
	}
	return proto.ErrNoMessage
}

func (p *httpProto) parseReply(f *parsed, m *message.Msg) error {
	switch {
	case f.interim():
		return proto.ErrNoMessage
	case f.code < 200:
		return malformed("the server switches to another protocol")
	}
	mtype, ok := f.typeOf(message.TypeReply, message.TypeAuthReply)
	if !ok {
		return malformed("%s %q of a reply", headerMType, f.own[ownMType])
	}
	seq, ok := parseInt32(f.own[ownSeq])
	switch {
	case ok:
		p.requests.number()
	case f.own[ownSeq] != nil:
		return malformed("%s %q is no number", headerSeq, f.own[ownSeq])
	default:
		if seq, ok = p.requests.take(); !ok {
			return malformed("a reply without %s to no request", headerSeq)
		}
	}
	body, err := f.inflate(m)
	if err != nil {
		return err
	}
	if err = setMeta(m, nil, f.fields); err != nil {
		return err
	}
	m.SetSeq(seq)
	m.SetMType(mtype)
	m.SetServiceMethod("")
	m.SetStatus(nil)
	m.SetBodyCodec(0)
	if f.code < 300 && f.code != businessError {
		m.SetBodyCodec(codecOf(f.own[ownContentType], 0))
		return m.UnmarshalBody(body)
	}
	if err = f.setStatus(m, body); err != nil {
		return err
	}
	return m.UnmarshalBody(nil)
}

// setStatus makes a status of a reply that failed: its body in a 299, in which peers of this framework say what is
// wrong, else the HTTP status with what the server writes to it.
func (f *parsed) setStatus(m *message.Msg, body []byte) error {
	if f.code == businessError {
		if err := proto.CheckHeaderPart("status", len(body)); err != nil {
			return err
		}
		if err := m.ParseStatus(body); err != nil {
			return malformed("%v", err)
		}
		return nil
	}
	if bytes.HasPrefix(body, []byte(`{"code":`)) && len(body) <= proto.MaxHeaderPart {
		if stat, err := status.Parse(body); err == nil && !stat.OK() && stat.Msg() != "" {
			m.SetStatus(stat)
			return nil
		}
	}
	reason := string(f.reason)
	if reason == "" {
		reason = reasons[f.code]
	}
	if text := excerpt(body); text != "" {
		m.SetStatus(status.New(int32(f.code), reason, text))
	} else {
		m.SetStatus(status.New(int32(f.code), reason))
	}
	return nil
}

// excerpt is the beginning of a body if it is text.
func excerpt(body []byte) string {
	const most = 1 << 10
	if !utf8.Valid(body) {
		return ""
	}
	return string(bytes.ToValidUTF8(bytes.TrimSpace(body[:min(len(body), most)]), nil))
}

// inflater decompresses what other servers and clients compress, whether or not the program has registered gzip.
var inflater tfilter.Gzip

// inflate returns the body without its compression, and notes the filter in m, whose reply is then compressed too.
func (f *parsed) inflate(m *message.Msg) ([]byte, error) {
	m.PipeTFilter().Reset()
	switch {
	case f.own[ownFilter] != nil:
		if !same(f.own[ownFilter], tfilter.GzipName) {
			return nil, &fault{415, unsupported("unsupport tfilter : " + string(f.own[ownFilter]))}
		}
		return proto.Unfilter(f.body, []byte{tfilter.GzipId}, m)
	case len(f.own[ownContentEncoding]) == 0 || same(f.own[ownContentEncoding], "identity"):
		return f.body, nil
	case !same(f.own[ownContentEncoding], "gzip") && !same(f.own[ownContentEncoding], "x-gzip"):
		return nil, &fault{415, unsupported("http proto: Content-Encoding " + string(f.own[ownContentEncoding]))}
	}
	if _, err := tfilter.Get(tfilter.GzipId); err == nil {
		return proto.Unfilter(f.body, []byte{tfilter.GzipId}, m)
	}
	body, err := inflater.OnUnpackLimit(f.body, int(min(uint64(m.SizeLimit()), math.MaxInt)))
	if size := (*tfilter.SizeError)(nil); errors.As(err, &size) {
		err = message.ExceedsLimit(err)
	}
	return body, err
}

// parseInt32 parses a decimal number.
func parseInt32(b []byte) (int32, bool) {
	text, negative := bytes.CutPrefix(b, []byte("-"))
	n, ok := digits(text)
	if negative {
		n = -n
	}
	return int32(n), ok && math.MinInt32 <= n && n <= math.MaxInt32
}
