package securebody

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/osgochina/dmicro/drpc/codec"
)

// envelope is what is sent instead of a body, under the codec of the message: as that of DMicro 1.x in json, protobuf,
// form and xml, and as JSON in every other codec.
type envelope struct {
	XMLName       xml.Name `json:"-" form:"-" xml:"Encrypt"`
	CipherVersion string   `json:"cipherVersion,omitempty"`
	Ciphertext    string   `json:"ciphertext,omitempty"` // base64
}

// Fields of the envelope in protobuf, both strings.
const (
	versionField    protowire.Number = 1
	ciphertextField protowire.Number = 2
)

func encodeEnvelope(codecID byte, version string, sealed []byte) ([]byte, error) {
	e := envelope{CipherVersion: version, Ciphertext: base64.StdEncoding.EncodeToString(sealed)}
	switch codecID {
	case codec.ProtobufId:
		out := protowire.AppendString(protowire.AppendTag(nil, versionField, protowire.BytesType), e.CipherVersion)
		return protowire.AppendString(protowire.AppendTag(out, ciphertextField, protowire.BytesType), e.Ciphertext), nil
	case codec.FormId, codec.XmlId:
		return codec.Marshal(codecID, &e)
	}
	return json.Marshal(&e)
}

func decodeEnvelope(codecID byte, raw []byte) (version string, sealed []byte, err error) {
	var e envelope
	switch codecID {
	case codec.ProtobufId:
		err = e.parseProtobuf(raw)
	case codec.FormId, codec.XmlId:
		err = codec.Unmarshal(codecID, raw, &e)
	default:
		err = json.Unmarshal(raw, &e)
	}
	if err == nil {
		sealed, err = base64.StdEncoding.DecodeString(e.Ciphertext)
	}
	if err != nil || e.CipherVersion == "" {
		return "", nil, errOpen // nobody learns which
	}
	return e.CipherVersion, sealed, nil
}

// parseProtobuf reads the two fields and skips others; the last of repeated ones counts.
func (e *envelope) parseProtobuf(raw []byte) error {
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return protowire.ParseError(n)
		}
		raw = raw[n:]
		field := map[protowire.Number]*string{versionField: &e.CipherVersion, ciphertextField: &e.Ciphertext}[number]
		if field == nil || kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
				return protowire.ParseError(n)
			}
		} else {
			var text string
			if text, n = protowire.ConsumeString(raw); n < 0 {
				return protowire.ParseError(n)
			}
			*field = text
		}
		raw = raw[n:]
	}
	return nil
}
