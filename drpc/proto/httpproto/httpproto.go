package httpproto

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/logger"
)

const (
	id   byte = 'h'
	name      = "http"
)

// Limits of what comes before a body, sent or received.
const (
	// maxHead is the size in bytes of the first line and all headers; it is also that of all trailers, chunk sizes and
	// chunk extensions of one body together.
	maxHead = 64 << 10
	// maxLine is the size in bytes of one of these lines, without its line feed.
	maxLine = 16 << 10
	// maxFields is how many bytes of headers are sent: the longest first line and the empty one at the end fit beside them.
	maxFields = maxHead - maxLine - len("\n\r\n")
	// maxLines is how many headers there may be.
	maxLines = 128
)

// ErrUnsupported is what errors about messages that HTTP cannot carry match with errors.Is.
var ErrUnsupported = errors.New("http proto: unsupported")

// unsupported is an ErrUnsupported with a text of its own, which older peers know.
type unsupported string

func (e unsupported) Error() string        { return string(e) }
func (e unsupported) Is(target error) bool { return target == ErrUnsupported }

// NewHTTProtoFunc returns what makes the protocol instance of one session. With printMessage true every frame that is
// sent or received is logged as it is, bodies included; they may hold secrets.
//
// It leaves the service-method mapper of the process as it is: paths are what the default one makes.
func NewHTTProtoFunc(printMessage ...bool) proto.ProtoFunc {
	verbose := len(printMessage) > 0 && printMessage[0]
	return func(rw proto.IOWithReadBuffer) proto.Proto { return &httpProto{rw: rw, verbose: verbose} }
}

// httpProto is the protocol on one connection.
type httpProto struct {
	rw      proto.IOWithReadBuffer
	verbose bool

	// Only the reading goroutine touches these.
	ahead     proto.FrameReader
	scan      scan
	fields    []field // scratch
	fault     *fault  // why the frame that FrameLen has found cannot be read
	closing   bool    // no further request is read
	swallowed int     // bytes that came in spite of that

	replies  turns    // to peers that match replies by their order
	requests expected // to peers whose replies have no number
	calls    atomic.Bool
}

var (
	_ proto.Framer    = (*httpProto)(nil)
	_ proto.Sequencer = (*httpProto)(nil)
)

// Version returns 'h', "http".
func (p *httpProto) Version() (byte, string) { return id, name }

// Pack writes m as one frame.
func (p *httpProto) Pack(m proto.Message) error {
	buf := bufpool.Get(0)
	defer bufpool.Put(buf)
	frame, err := p.AppendFrame(buf.B, message.From(m))
	if err != nil {
		return err
	}
	buf.B = frame
	if len(frame) == 0 { // written already, or waiting for its turn
		return nil
	}
	p.Queued(frame)
	_, err = p.rw.Write(frame)
	return err
}

// Unpack reads one frame into m.
func (p *httpProto) Unpack(m proto.Message) error { return p.ahead.Unpack(p.rw, p, message.From(m)) }

// Queued notes in which order requests leave, for servers that do not number their replies.
func (p *httpProto) Queued(frame []byte) {
	if !p.requests.numbered.Load() {
		p.requests.queued(frame)
	}
}

// limit is the largest frame that the session takes, as far as the connection tells.
func (p *httpProto) limit() int {
	if l, ok := p.rw.(proto.SizeLimiter); ok {
		return int(min(uint64(l.SizeLimit()), math.MaxInt))
	}
	return int(min(uint64(message.MsgSizeLimit()), math.MaxInt))
}

var errNoConnection = errors.New("http proto: no connection to answer over")

// write sends bytes that this protocol answers with by itself.
func (p *httpProto) write(b []byte) error {
	if p.rw == nil {
		return errNoConnection
	}
	_, err := p.rw.Write(b)
	return err
}

// closeWrite says that the reply before was the last one. The peer closes the connection then.
func (p *httpProto) closeWrite() error {
	if c, ok := p.rw.(proto.WriteCloser); ok {
		return c.CloseWrite()
	}
	return nil
}

func (p *httpProto) log(what string, frame []byte) {
	if p.verbose {
		logger.Printf(context.Background(), "http proto: %s\n%s", what, frame)
	}
}

// malformed returns an error that matches proto.ErrMalformed.
func malformed(format string, args ...any) error {
	return fmt.Errorf("http proto: %w: %s", proto.ErrMalformed, fmt.Sprintf(format, args...))
}

// tooLong returns an error that matches proto.ErrHeaderTooLong.
func tooLong(part string, n, limit int) error {
	return fmt.Errorf("http proto: %w: %s of %d, allowed are %d", proto.ErrHeaderTooLong, part, n, limit)
}
