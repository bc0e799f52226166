// Package prototest has what the tests of all protocols need: golden frames, both ways to pack and to parse, and
// comparisons. Only tests import it.
package prototest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// AESKey is the key of the aes filter in golden frames.
const AESKey = "0123456789abcdef"

// RegisterFilters registers the filters that golden frames use; once in a test program.
func RegisterFilters() {
	tfilter.RegGzip(5)
	tfilter.RegMD5()
	tfilter.RegAES([]byte(AESKey))
}

// Golden returns the frame in testdata/name.hex.
func Golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	frame, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// Wire is both ends of a connection in memory.
type Wire struct{ bytes.Buffer }

// ReadOnly is a connection that can only be read.
type ReadOnly struct{ io.Reader }

// ErrReadOnly is what writing to a ReadOnly gives.
var ErrReadOnly = errors.New("read only")

// Write fails.
func (ReadOnly) Write([]byte) (int, error) { return 0, ErrReadOnly }

// Duplex is a connection whose answers are kept apart from what it is fed.
type Duplex struct {
	io.Reader
	Answers bytes.Buffer
}

func (d *Duplex) Write(b []byte) (int, error) { return d.Answers.Write(b) }

// Kit tests the protocol that New makes.
type Kit struct{ New proto.ProtoFunc }

// Framer returns the fast path of the protocol, without a connection.
func (k Kit) Framer(t testing.TB) proto.Framer {
	t.Helper()
	f, ok := k.New(nil).(proto.Framer)
	if !ok {
		t.Fatal("the protocol has no fast path")
	}
	return f
}

// Pack returns the frame of m after checking that both ways to pack give the same one.
func (k Kit) Pack(t testing.TB, m message.Message) []byte {
	t.Helper()
	frame, err := k.Framer(t).AppendFrame(nil, message.From(m))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	var w Wire
	if err = k.New(&w).Pack(m); err != nil {
		t.Fatalf("pack: %v", err)
	}
	if !bytes.Equal(w.Bytes(), frame) && !changes(m) {
		t.Fatalf("Pack and AppendFrame differ:\n%x\n%x", w.Bytes(), frame)
	}
	return frame
}

// changes reports whether m has a filter whose result is another one each time.
func changes(m message.Message) bool {
	return bytes.IndexByte(m.PipeTFilter().IDs(), tfilter.AesGcmId) >= 0
}

// Parsed is the result of one way to parse.
type Parsed struct {
	message.Message
	Err error
}

// Parse parses a copy of frame with ParseFrame and another one with Unpack. newBody may be nil.
func (k Kit) Parse(t testing.TB, frame []byte, newBody func() any) map[string]Parsed {
	t.Helper()
	fresh := func() message.Message {
		if newBody == nil {
			return message.NewMessage()
		}
		return message.NewMessage(message.WithBody(newBody()))
	}
	fast, slow := fresh(), fresh()
	fastErr := k.Framer(t).ParseFrame(bytes.Clone(frame), message.From(fast))
	slowErr := k.New(ReadOnly{bytes.NewReader(frame)}).Unpack(slow)
	return map[string]Parsed{"ParseFrame": {fast, fastErr}, "Unpack": {slow, slowErr}}
}

// Refused checks that m is packed by neither way, with an error that matches want (nil: any), and that nothing of it is
// written. It returns the error.
func (k Kit) Refused(t testing.TB, m message.Message, want error) error {
	t.Helper()
	out, err := k.Framer(t).AppendFrame([]byte("before"), message.From(m))
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("append: %v, want %v", err, want)
	}
	if string(out) != "before" {
		t.Errorf("append left %q", out)
	}
	var w Wire
	if err := k.New(&w).Pack(m); err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("pack: %v, want %v", err, want)
	}
	if w.Len() != 0 {
		t.Errorf("pack wrote %x", w.Bytes())
	}
	return err
}

// SameHeader compares everything but the body.
func SameHeader(t testing.TB, how string, got, want message.Message) {
	t.Helper()
	if got.Seq() != want.Seq() || got.MType() != want.MType() || got.ServiceMethod() != want.ServiceMethod() ||
		got.BodyCodec() != want.BodyCodec() {
		t.Errorf("%s:\n%v, want\n%v", how, got, want)
	}
	if g, w := got.Status(true).String(), want.Status(true).String(); g != w {
		t.Errorf("%s: status %s, want %s", how, g, w)
	}
	if g, w := got.Meta().Map(), want.Meta().Map(); !reflect.DeepEqual(g, w) {
		t.Errorf("%s: meta %v, want %v", how, g, w)
	}
	if g, w := got.PipeTFilter().IDs(), want.PipeTFilter().IDs(); !bytes.Equal(g, w) {
		t.Errorf("%s: filters %q, want %q", how, g, w)
	}
}

// Text is s as JSON can carry it: each byte that is no UTF-8 is the replacement character.
func Text(s string) string { return string([]rune(s)) }
