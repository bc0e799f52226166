package codec

import "encoding/xml"

// Id and name of [XMLCodec].
const (
	XmlId   = 'x'
	XmlName = "xml"
)

// XMLCodec is the codec of encoding/xml, in both directions just as xml.Marshal
// and xml.Unmarshal work: no header, no indentation. Errors are those of
// encoding/xml.
type XMLCodec struct{}

// ID returns [XmlId].
func (XMLCodec) ID() byte { return XmlId }

// Name returns [XmlName].
func (XMLCodec) Name() string { return XmlName }

// Marshal is xml.Marshal.
func (XMLCodec) Marshal(v any) ([]byte, error) { return xml.Marshal(v) }

// Unmarshal is xml.Unmarshal.
func (XMLCodec) Unmarshal(data []byte, v any) error { return xml.Unmarshal(data, v) }
