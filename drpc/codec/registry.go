package codec

import (
	"fmt"

	"github.com/osgochina/dmicro/internal/idtable"
)

var codecs = idtable.New[Codec]("codec", "codec")

// Reg registers c for the whole process.
//
// It panics, for these are mistakes of the program, if c is nil, if its id is 0
// or its name empty, or if another codec has the id or the name already.
func Reg(c Codec) {
	if c != nil && c.ID() == NilCodecID {
		panic(fmt.Sprintf("codec: Reg of %q: id 0 means no codec", c.Name()))
	}
	codecs.Add(c)
}

// Get returns the codec of the id given, or an [UnknownIDError].
func Get(codecID byte) (Codec, error) {
	if c, ok := codecs.Get(codecID); ok {
		return c, nil
	}
	return nil, UnknownIDError(codecID)
}

// GetByName returns the codec of the name given, or an [UnknownNameError]. The
// case of letters counts.
func GetByName(codecName string) (Codec, error) {
	if c, ok := codecs.GetByName(codecName); ok {
		return c, nil
	}
	return nil, UnknownNameError(codecName)
}

func init() {
	Reg(JSONCodec{})
	Reg(PlainCodec{})
	Reg(ProtoCodec{})
	Reg(FormCodec{})
	Reg(XMLCodec{})
}
