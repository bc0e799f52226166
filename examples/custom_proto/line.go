package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
)

// maxLine is the longest message in bytes. A protocol that reads up to an end must say how far.
const maxLine = 64 << 10

// line is a protocol of one line of text a message:
//
//	SEQ TYPE METHOD CODE BODY
//
// METHOD is "-" in a reply, CODE is that of the status, and BODY is JSON or, if the status is not OK, its message. It
// carries no meta.
type line struct {
	rw proto.IOWithReadBuffer
	in *bufio.Reader
}

// newLine is the proto.ProtoFunc: each session gets an instance of its own.
func newLine(rw proto.IOWithReadBuffer) proto.Proto {
	return &line{rw: rw, in: bufio.NewReaderSize(rw, maxLine)}
}

// Version tells sessions and logs apart from those of other protocols.
func (*line) Version() (byte, string) { return 'L', "line" }

// Pack writes one message.
func (l *line) Pack(m proto.Message) error {
	body, err := m.MarshalBody()
	if err != nil {
		return err
	}
	if stat := m.Status(); !stat.OK() {
		body = []byte(stat.Msg())
	}
	method := m.ServiceMethod()
	if method == "" {
		method = "-"
	}
	if strings.ContainsAny(method, " \n") || bytes.ContainsRune(body, '\n') {
		return fmt.Errorf("line proto: the message to %q does not fit in a line", method)
	}
	text := fmt.Appendf(nil, "%d %d %s %d %s\n", m.Seq(), m.MType(), method, m.Status().Code(), body)
	if len(text) > maxLine {
		return fmt.Errorf("line proto: message of %d bytes, allowed are %d", len(text), maxLine)
	}
	if err = m.SetSize(uint32(len(text))); err != nil {
		return err
	}
	_, err = l.rw.Write(text)
	return err
}

// Unpack reads one message. An error ends the session.
func (l *line) Unpack(m proto.Message) error {
	text, err := l.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	part := strings.SplitN(strings.TrimRight(string(text), "\r\n"), " ", 5)
	if len(part) != 5 {
		return fmt.Errorf("line proto: %d parts instead of 5", len(part))
	}
	seq, err := strconv.ParseInt(part[0], 10, 32)
	if err != nil {
		return fmt.Errorf("line proto: seq: %w", err)
	}
	mtype, err := strconv.ParseUint(part[1], 10, 8)
	if err != nil {
		return fmt.Errorf("line proto: type: %w", err)
	}
	code, err := strconv.ParseInt(part[3], 10, 32)
	if err != nil {
		return fmt.Errorf("line proto: code: %w", err)
	}
	m.SetSeq(int32(seq))
	m.SetMType(byte(mtype))
	if part[2] != "-" {
		m.SetServiceMethod(part[2])
	}
	m.SetBodyCodec(codec.JsonId)
	body := part[4]
	if code != 0 {
		m.SetStatus(status.New(int32(code), body))
		body = ""
	}
	if err = m.SetSize(uint32(len(text))); err != nil {
		return err
	}
	return m.UnmarshalBody([]byte(body))
}
