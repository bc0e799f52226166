package prototest

import (
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
)

// Benchmark measures packing and parsing of calls of some sizes, their bodies given as bytes.
func (k Kit) Benchmark(b *testing.B) {
	f := k.Framer(b)
	for name, body := range map[string]string{
		"small":     `[1,2]`,
		"1k":        `[` + strings.Repeat(`{"id":12345,"title":"some text"},`, 30) + `0]`,
		"1k lines":  `["` + strings.Repeat(`a line of text\n`, 64) + `"]`,
		"64k plain": `"` + strings.Repeat("0123456789abcdef", 4096) + `"`,
	} {
		m := message.From(Call(1, message.WithBody([]byte(body))))
		frame, err := f.AppendFrame(nil, m)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("pack/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			buf := make([]byte, 0, 2*len(frame))
			for b.Loop() {
				if _, err := f.AppendFrame(buf, m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parse/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			in, buf := new(message.Msg), make([]byte, len(frame))
			for b.Loop() {
				in.Clear()
				in.DeferBody()
				copy(buf, frame) // parsing may change it
				if err := f.ParseFrame(buf, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
