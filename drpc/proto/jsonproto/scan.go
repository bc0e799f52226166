package jsonproto

import (
	"bytes"
	"math"

	"github.com/osgochina/dmicro/internal/jsontext"
)

const (
	minInt32 = math.MinInt32
	maxInt32 = math.MaxInt32
)

// scan takes apart the one form that this package writes. It refuses everything else, and only then has not changed
// the payload. It expects UTF-8.
func (o *object) scan(payload []byte) bool {
	s := jsontext.Scanner{Rest: payload}
	o.head(&s)
	s.Word(`,"serviceMethod":`)
	o.Method = s.Text()
	s.Word(`,"status":`)
	o.Status = s.Text()
	s.Word(`,"meta":`)
	o.Meta = s.Text()
	o.tail(&s)
	o.body, o.escaped = s.Text(), true
	if s.Word(`}`); !s.Done() {
		return false
	}
	o.Method = jsontext.Unescape(o.Method[:0], o.Method)
	o.Status = jsontext.Unescape(o.Status[:0], o.Status)
	o.Meta = jsontext.Unescape(o.Meta[:0], o.Meta)
	return true
}

// scanOld takes apart what an older peer writes: strings of the header quoted as Go source is, and a body in which
// nothing is escaped but quotes. As the body is the last member, it ends where the payload does.
func (o *object) scanOld(payload []byte) bool {
	s := jsontext.Scanner{Rest: payload}
	o.head(&s)
	s.Word(`,"serviceMethod":`)
	o.Method = s.GoText()
	s.Word(`,"status":`)
	o.Status = s.GoText()
	s.Word(`,"meta":`)
	o.Meta = s.GoText()
	o.tail(&s)
	s.Word(`"`)
	body, ends := bytes.CutSuffix(s.Rest, []byte(`"}`))
	if s.Bad || !ends {
		return false
	}
	o.body, o.escaped = jsontext.UnescapeQuotes(body), false
	return true
}

// head reads what comes before the strings of the header, tail what comes between them and the body.
func (o *object) head(s *jsontext.Scanner) {
	s.Word(`{"seq":`)
	o.Seq = int32(s.Number(minInt32, maxInt32))
	s.Word(`,"mtype":`)
	o.MType = byte(s.Number(0, math.MaxUint8))
}

func (o *object) tail(s *jsontext.Scanner) {
	s.Word(`,"bodyCodec":`)
	o.BodyCodec = byte(s.Number(0, math.MaxUint8))
	s.Word(`,"body":`)
}
