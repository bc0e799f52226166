package codec_test

import (
	"encoding/xml"
	"errors"
	"reflect"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

type book struct {
	XMLName xml.Name `xml:"book"`
	ID      int      `xml:"id,attr"`
	Title   string   `xml:"title"`
	Tags    []string `xml:"tags>tag"`
}

func TestXMLRoundTrip(t *testing.T) {
	t.Parallel()
	in := &book{XMLName: xml.Name{Local: "book"}, ID: 7, Title: "é 世界 <&>", Tags: []string{"a", "b"}}
	b, err := codec.Marshal(codec.XmlId, in)
	const want = `<book id="7"><title>é 世界 &lt;&amp;&gt;</title><tags><tag>a</tag><tag>b</tag></tags></book>`
	if err != nil || string(b) != want {
		t.Fatalf("Marshal = %s, %v, want %s", b, err, want)
	}
	out := new(book)
	if err := codec.Unmarshal(codec.XmlId, b, out); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = '#' // the result must not live in the buffer
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("got  %+v\nwant %+v", out, in)
	}
}

func TestXMLOfNilIsEmpty(t *testing.T) {
	t.Parallel()
	for _, v := range []any{nil, (*book)(nil)} {
		if b, err := codec.Marshal(codec.XmlId, v); err != nil || len(b) != 0 {
			t.Errorf("Marshal of nil %T = %q, %v", v, b, err)
		}
	}
}

func TestXMLRefusesBadInput(t *testing.T) {
	t.Parallel()
	var syntax *xml.SyntaxError
	for _, in := range []string{"<book>", "<book></title>", "<book>&bomb;</book>"} {
		if err := codec.Unmarshal(codec.XmlId, []byte(in), new(book)); !errors.As(err, &syntax) {
			t.Errorf("Unmarshal(%q): %v", in, err)
		}
	}
	for _, in := range []string{"", "<other/>", "text"} {
		if err := codec.Unmarshal(codec.XmlId, []byte(in), new(book)); err == nil {
			t.Errorf("Unmarshal(%q): no error", in)
		}
	}
	if err := codec.Unmarshal(codec.XmlId, []byte("<book/>"), nil); err == nil {
		t.Error("nil target: no error")
	}
}

// FuzzXML checks that no input harms and that what decodes encodes again.
func FuzzXML(f *testing.F) {
	for _, s := range []string{"", "<book/>", `<book id="7"><title>t</title><tags><tag>a</tag></tags></book>`, "<!DOCTYPE a><book>", "<a:book/>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var (
			c  codec.XMLCodec
			in book
		)
		if c.Unmarshal(data, &in) != nil {
			return
		}
		b, err := c.Marshal(&in)
		if err != nil {
			t.Fatalf("%q decodes to %+v, which does not encode: %v", data, in, err)
		}
		if err := c.Unmarshal(b, new(book)); err != nil {
			t.Fatalf("%q encodes as %q, which does not decode: %v", data, b, err)
		}
	})
}
