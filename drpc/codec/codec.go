package codec

// NilCodecID and NilCodecName stand for "no codec": the body is empty.
const (
	NilCodecID   byte   = 0
	NilCodecName string = ""
)

// Codec encodes and decodes bodies. Its methods are called from many goroutines
// at once.
type Codec interface {
	// ID is the id on the wire, never 0.
	ID() byte

	// Name is the name in settings, never empty.
	Name() string

	// Marshal returns the encoding of v. The caller owns the result.
	Marshal(v any) ([]byte, error)

	// Unmarshal decodes data into v, in general a pointer. It must not keep a
	// reference to data, nor let v keep one: the buffer is reused as soon as
	// Unmarshal returns.
	Unmarshal(data []byte, v any) error
}

// Appender is what a [Codec] implements, besides, to encode into a buffer that
// the caller already has. [JSONCodec], [PlainCodec] and [ProtoCodec] do.
type Appender interface {
	// AppendMarshal appends the encoding of v to dst and returns the longer
	// slice. With an error it returns dst as it was; bytes between the length
	// and the capacity of dst may have changed.
	AppendMarshal(dst []byte, v any) ([]byte, error)
}

// Marshal encodes v with the codec of the id given. An unknown id, 0 included,
// is an [UnknownIDError].
func Marshal(codecID byte, v any) ([]byte, error) {
	c, err := Get(codecID)
	if err != nil {
		return nil, err
	}
	return c.Marshal(v)
}

// Unmarshal decodes data into v with the codec of the id given. An unknown id,
// 0 included, is an [UnknownIDError]. v keeps no reference to data.
func Unmarshal(codecID byte, data []byte, v any) error {
	c, err := Get(codecID)
	if err != nil {
		return err
	}
	return c.Unmarshal(data, v)
}

// Append appends the encoding of v by c to dst and returns the longer slice. It
// uses [Appender] where c offers it. With an error it returns dst as it was.
func Append(dst []byte, c Codec, v any) ([]byte, error) {
	if a, ok := c.(Appender); ok {
		return a.AppendMarshal(dst, v)
	}
	b, err := c.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}
