package tfilter

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

// Id and name of the gzip filter, see [RegGzip].
const (
	GzipId   = 'z'
	GzipName = "gzip"
)

// DefaultUnpackLimit is how many bytes the gzip filter inflates a payload to if
// nobody gave it a limit, 64 MiB.
const DefaultUnpackLimit = 64 << 20

// RegGzip registers the gzip filter with a level of compress/gzip, once in a
// process: -2 Huffman only, -1 the default, 0 none, 1 fastest to 9 smallest. It
// panics on any other level, and the second time.
//
// The packed form is a gzip stream. What does not inflate is the error of
// compress/gzip; more than the limit is a [*SizeError].
func RegGzip(level int) {
	if level < gzip.HuffmanOnly || level > gzip.BestCompression {
		panic(fmt.Sprintf("tfilter: RegGzip: level %d, want %d to %d", level, gzip.HuffmanOnly, gzip.BestCompression))
	}
	Reg(&Gzip{level: level})
}

// Gzip is the filter that [RegGzip] registers. It keeps compressors, of some
// hundred kilobytes each, and decompressors for reuse.
type Gzip struct {
	level     int
	deflaters sync.Pool // of *deflater
	inflaters sync.Pool // of *inflater
}

// ID returns [GzipId].
func (*Gzip) ID() byte { return GzipId }

// Name returns [GzipName].
func (*Gzip) Name() string { return GzipName }

// OnPack compresses src.
func (g *Gzip) OnPack(src []byte) ([]byte, error) {
	d, _ := g.deflaters.Get().(*deflater)
	if d == nil {
		d = new(deflater)
	}
	out, err := d.deflate(src, g.level)
	if err != nil {
		return nil, err // d is in an unknown state: let it go
	}
	g.deflaters.Put(d)
	return out, nil
}

// OnUnpack is [Gzip.OnUnpackLimit] with [DefaultUnpackLimit].
func (g *Gzip) OnUnpack(src []byte) (dest []byte, err error) {
	return g.OnUnpackLimit(src, DefaultUnpackLimit)
}

// OnUnpackLimit implements [LimitedUnpacker]: it inflates at most one byte more
// than limit, and never holds more than about twice the limit.
func (g *Gzip) OnUnpackLimit(src []byte, limit int) ([]byte, error) {
	f, _ := g.inflaters.Get().(*inflater)
	if f == nil {
		f = new(inflater)
	}
	// An inflater starts from nothing each time: reuse it after errors too, or
	// bad input would cost more than good.
	defer g.inflaters.Put(f)
	return f.inflate(src, max(limit, 0))
}

// deflater is a compressor that appends to dst.
type deflater struct {
	zw  *gzip.Writer
	dst []byte
}

// Write implements io.Writer for the compressor.
func (d *deflater) Write(p []byte) (int, error) {
	d.dst = append(d.dst, p...)
	return len(p), nil
}

func (d *deflater) deflate(src []byte, level int) (out []byte, err error) {
	if d.zw == nil {
		if d.zw, err = gzip.NewWriterLevel(d, level); err != nil {
			return nil, err
		}
	} else {
		d.zw.Reset(d)
	}
	const header = 32 // enough for header and trailer
	d.dst = make([]byte, 0, len(src)/2+header)
	if _, err = d.zw.Write(src); err == nil {
		err = d.zw.Close()
	}
	out, d.dst = d.dst, nil // the result belongs to the caller
	return out, err
}

// inflater is a decompressor and its source.
type inflater struct {
	zr  gzip.Reader
	src bytes.Reader
}

func (f *inflater) inflate(src []byte, limit int) ([]byte, error) {
	f.src.Reset(src)
	defer f.src.Reset(nil)
	err := f.zr.Reset(&f.src)
	if err == nil {
		var out []byte
		if out, err = readLimit(&f.zr, len(src), limit); err == nil {
			return out, nil
		}
	}
	if err == io.EOF {
		// A bare EOF would look like a connection that ended in order.
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

// readLimit reads r, compressed packed bytes, to its end, which must come within
// limit bytes.
func readLimit(r io.Reader, packed, limit int) ([]byte, error) {
	// With room for one byte more than allowed, too much shows by itself.
	room := min(limit, math.MaxInt-1) + 1
	// Text shrinks to a third or so. What was received bounds the first guess:
	// an announced size would be the word of a stranger.
	out := make([]byte, 0, min(packed, room/4)*4)
	for {
		if len(out) == cap(out) {
			out = append(make([]byte, 0, min(2*cap(out)+512, room)), out...)
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > limit:
			return nil, &SizeError{Limit: limit}
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
	}
}
