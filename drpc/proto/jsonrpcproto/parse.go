package jsonrpcproto

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

// refusal is why a request is answered without the session having seen it.
type refusal struct {
	code int32
	id   []byte // as it came, empty if it is not known
	err  error
}

// frame is one object taken apart, its members as they stand on the wire.
type frame struct {
	version, method, params, id, context, result, failure, mtype []byte
}

// ParseFrame parses a line, or an element of a batch, into m. What cannot be read is answered here.
func (p *jsonrpc) ParseFrame(line []byte, m *message.Msg) error {
	if err := message.CheckSize(uint64(len(line)), m.SizeLimit()); err != nil {
		return err
	}
	text, b, last := p.line.take(line)
	err := p.parse(text, b, m)
	if last {
		if replies := p.waiting.closed(nil, b); len(replies) > 0 {
			err = errors.Join(err, p.write(replies))
		}
	}
	if err != nil {
		return err
	}
	return m.SetSize(uint32(len(line)))
}

// parse parses one element; b is the batch that it belongs to.
func (p *jsonrpc) parse(text []byte, b *batch, m *message.Msg) error {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0:
		return proto.ErrNoMessage
	case b == nil && !valid(text):
		return p.refuse(b, refusal{code: codeParse, err: malformed("a line is no JSON")})
	case b == nil && text[0] == '[':
		return p.refuse(b, refusal{code: codeInvalidRequest, err: malformed("a batch of none or of more than %d", maxBatch)})
	case text[0] != '{':
		return p.refuse(b, refusal{code: codeInvalidRequest, err: errNoRequest})
	}
	f := takeApart(text)
	m.PipeTFilter().Reset()
	if f.method == nil && (f.result != nil || f.failure != nil) {
		return p.parseReply(&f, m)
	}
	if r := p.parseRequest(&f, b, m); r != nil {
		_ = m.ParseMeta(emptyMeta) // cannot fail
		return p.refuse(b, *r)
	}
	return m.UnmarshalBody(content(f.params))
}

// content is a body as the session has it: a null is none.
func content(value []byte) []byte {
	if isNull(value) {
		return nil
	}
	return value
}

func takeApart(text []byte) (f frame) {
	ms := object(text)
	for {
		key, value, ok := ms.next()
		if !ok {
			return f
		}
		switch string(key) {
		case "jsonrpc":
			f.version = value
		case "method":
			f.method = value
		case "params":
			f.params = value
		case "id":
			f.id = value
		case "context":
			f.context = value
		case "result":
			f.result = value
		case "error":
			f.failure = value
		case "mtype":
			f.mtype = value
		}
	}
}

// parseRequest sets m to a call or push, all but its body.
func (p *jsonrpc) parseRequest(f *frame, b *batch, m *message.Msg) *refusal {
	mtype, id := message.TypeCall, f.id
	switch {
	case len(id) == 0:
		mtype = message.TypePush
	case id[0] != '"' && id[0] != '-' && (id[0] < '0' || id[0] > '9') && string(id) != "null":
		return &refusal{codeInvalidRequest, nil, malformed("an id that is neither a string nor a number")}
	case string(f.mtype) == "4":
		mtype = message.TypeAuthCall
	}
	method, ok := text(f.method)
	switch {
	case !ok:
		return &refusal{codeInvalidRequest, id, errNoRequest}
	case len(method) == 0 && mtype != message.TypeAuthCall:
		return &refusal{codeInvalidRequest, id, malformed("the method is empty")}
	case f.version != nil && string(f.version) != `"2.0"`:
		return &refusal{codeInvalidRequest, id, malformed("a version other than 2.0")}
	}
	if err := proto.CheckHeaderPart("service method", len(method)); err != nil {
		return &refusal{codeInvalidRequest, id, err}
	}
	if err := setContext(m, f.context); err != nil {
		return &refusal{codeInvalidRequest, id, err}
	}
	var seq int32
	if mtype != message.TypePush {
		var err error
		if seq, err = p.enter(f, b); err != nil {
			return &refusal{codeServer, id, err}
		}
	}
	m.SetSeq(seq)
	m.SetMType(mtype)
	m.SetStatus(nil)
	m.ParseServiceMethod(method)
	m.SetBodyCodec(codec.JsonId)
	return nil
}

// enter returns the number that the session knows a request by: its id where a reply can be made of that alone.
func (p *jsonrpc) enter(f *frame, b *batch) (int32, error) {
	foreign := f.context == nil
	if n, ok := plainNumber(f.id); ok && b == nil && !foreign && n >= 0 {
		return n, nil
	}
	return p.waiting.add(&request{id: string(f.id), foreign: foreign, batch: b})
}

// plainNumber returns an id that is an int32 in the form in which this package writes it.
func plainNumber(id []byte) (int32, bool) {
	digits, negative := bytes.CutPrefix(id, []byte("-"))
	if len(digits) == 0 || len(digits) > 10 || digits[0] == '0' && len(id) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return int32(n), math.MinInt32 <= n && n <= math.MaxInt32
}

var emptyMeta = []byte("{}")

// setContext makes the context of a line the meta of m.
func setContext(m *message.Msg, context []byte) error {
	switch {
	case isNull(context):
		return m.ParseMeta(emptyMeta)
	case context[0] != '{':
		return malformed("a context that is no object")
	}
	if err := proto.CheckHeaderPart("meta", len(context)); err != nil {
		return err
	}
	if err := m.ParseMeta(context); err != nil {
		return malformed("%v", err)
	}
	return nil
}

// parseReply sets m to a reply.
func (p *jsonrpc) parseReply(f *frame, m *message.Msg) error {
	id := f.id
	if inner, ok := text(id); ok { // as some servers write numbers
		id = inner
	}
	seq, ok := plainNumber(id)
	if !ok {
		if !p.calls.Load() {
			return proto.ErrNoMessage // the answer to something that this side never sent
		}
		return malformed("a reply to id %.100s: %.1000s", f.id, f.failure)
	}
	if err := setContext(m, f.context); err != nil {
		return err
	}
	m.SetSeq(seq)
	m.SetMType(message.TypeReply)
	if string(f.mtype) == "5" {
		m.SetMType(message.TypeAuthReply)
	}
	m.SetServiceMethod("")
	m.SetStatus(nil)
	m.SetBodyCodec(codec.JsonId)
	if isNull(f.failure) {
		return m.UnmarshalBody(content(f.result))
	}
	stat, err := parseError(f.failure)
	if err != nil {
		return err
	}
	m.SetStatus(stat)
	m.SetBodyCodec(codec.NilCodecID)
	return m.UnmarshalBody(nil)
}

// parseError makes a status of an error. One without a usable code is a failure all the same.
func parseError(value []byte) (*status.Status, error) {
	if err := proto.CheckHeaderPart("status", len(value)); err != nil {
		return nil, err
	}
	if value[0] != '{' {
		return status.New(status.UnknownError, string(value)), nil
	}
	code, msg, data := status.UnknownError, []byte(nil), []byte(nil)
	for ms := object(value); ; {
		key, v, ok := ms.next()
		if !ok {
			break
		}
		switch string(key) {
		case "code":
			if n, err := strconv.ParseInt(string(v), 10, 32); err == nil && n != 0 {
				code = int32(n)
			}
		case "message":
			msg, _ = text(v)
		case "data":
			data = v
		}
	}
	if ours, known := fromStandard[code]; known {
		if stat, err := status.Parse(data); err == nil && stat.Code() == ours {
			return stat, nil
		}
		code = ours
	}
	if cause, ok := text(data); ok {
		return status.New(code, string(msg), string(cause)), nil
	}
	if !isNull(data) {
		return status.New(code, string(msg), string(data)), nil
	}
	return status.New(code, string(msg)), nil
}

// refuse answers what is no request. A side that has made calls cannot go on, unless it was clearly none of the replies
// that it waits for.
func (p *jsonrpc) refuse(b *batch, r refusal) error {
	if p.calls.Load() && len(r.id) == 0 {
		return r.err
	}
	if len(r.id) == 0 || len(r.id) > maxID {
		r.id = []byte("null")
	}
	reply := fmt.Appendf(nil, start+`"id":%s,"error":{"code":%d,"message":"%s","data":`, r.id, r.code, codeTexts[r.code])
	reply = append(appendString(reply, r.err.Error()), "}}"...)
	if b == nil {
		reply = append(reply, lineEnd...)
	} else {
		var err error
		if reply, err = p.waiting.collect(nil, b, 0, reply, math.MaxInt); err != nil {
			return err
		}
	}
	if len(reply) > 0 {
		if err := p.write(reply); err != nil {
			return errors.Join(r.err, err)
		}
	}
	return proto.ErrNoMessage
}
