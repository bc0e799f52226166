package codec

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// registry finds codecs without a lock, since each message asks it. A writer
// holds mu and publishes a codec under its name first, then under its id.
type registry struct {
	mu     sync.Mutex
	byID   [256]atomic.Pointer[Codec]
	byName sync.Map // string to Codec
}

var codecs registry

// Reg registers c for the whole process.
//
// It panics, for these are mistakes of the program, if c is nil, if its id is 0
// or its name empty, or if another codec has the id or the name already.
func Reg(c Codec) { codecs.add(c) }

// Get returns the codec of the id given, or an [UnknownIDError].
func Get(codecID byte) (Codec, error) { return codecs.get(codecID) }

// GetByName returns the codec of the name given, or an [UnknownNameError]. The
// case of letters counts.
func GetByName(codecName string) (Codec, error) { return codecs.getByName(codecName) }

func (r *registry) get(id byte) (Codec, error) {
	if c := r.byID[id].Load(); c != nil {
		return *c, nil
	}
	return nil, UnknownIDError(id)
}

func (r *registry) getByName(name string) (Codec, error) {
	if c, ok := r.byName.Load(name); ok {
		return c.(Codec), nil
	}
	return nil, UnknownNameError(name)
}

func (r *registry) add(c Codec) {
	if c == nil {
		panic("codec: Reg of nil")
	}
	id, name := c.ID(), c.Name()
	if id == NilCodecID || name == NilCodecName {
		panic(fmt.Sprintf("codec: Reg of id %d, name %q: id 0 and the empty name mean no codec", id, name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.byID[id].Load(); old != nil {
		panic(fmt.Sprintf("codec: Reg of %q: codec %q has the id %d already", name, (*old).Name(), id))
	}
	if _, taken := r.byName.LoadOrStore(name, c); taken {
		panic(fmt.Sprintf("codec: Reg of id %d: another codec has the name %q already", id, name))
	}
	r.byID[id].Store(&c)
}

func init() {
	Reg(JSONCodec{})
	Reg(PlainCodec{})
	Reg(ProtoCodec{})
	Reg(FormCodec{})
	Reg(XMLCodec{})
}
