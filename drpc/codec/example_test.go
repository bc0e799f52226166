package codec_test

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/osgochina/dmicro/drpc/codec"
)

type point struct{ X, Y int }

func Example() {
	c, err := codec.GetByName("json")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := codec.Marshal(c.ID(), point{1, 2})
	fmt.Println(string(body), err)

	var p point
	fmt.Println(codec.Unmarshal(codec.JsonId, body, &p), p)

	_, err = codec.Marshal('?', p)
	fmt.Println(errors.Is(err, codec.ErrUnsupported))
	// Output:
	// {"X":1,"Y":2} <nil>
	// <nil> {1 2}
	// true
}

// The plain codec is for single values: numbers, text and bytes.
func ExamplePlainCodec() {
	body, err := codec.Marshal(codec.PlainId, 42)
	fmt.Println(string(body), err)
	var n int
	fmt.Println(codec.Unmarshal(codec.PlainId, []byte("forty"), &n))
	// Output:
	// 42 <nil>
	// plain codec: int: invalid syntax
}

// hexadecimal is a codec for one kind of body.
type hexadecimal struct{}

func (hexadecimal) ID() byte     { return 'h' }
func (hexadecimal) Name() string { return "hexadecimal" }

func (hexadecimal) Marshal(v any) ([]byte, error) {
	n, ok := v.(int64)
	if !ok {
		return nil, &codec.TypeError{Codec: "hexadecimal", Type: reflect.TypeOf(v), Want: "an int64"}
	}
	return strconv.AppendInt(nil, n, 16), nil
}

func (hexadecimal) Unmarshal(data []byte, v any) (err error) {
	n, ok := v.(*int64)
	if !ok {
		return &codec.TypeError{Codec: "hexadecimal", Type: reflect.TypeOf(v), Want: "a *int64"}
	}
	*n, err = strconv.ParseInt(string(data), 16, 64)
	return err
}

func init() { codec.Reg(hexadecimal{}) }

// A codec of one's own, registered by an init function: codec.Reg(hexadecimal{}).
func ExampleReg() {
	body, err := codec.Marshal('h', int64(51966))
	fmt.Println(string(body), err)
	var n int64
	fmt.Println(codec.Unmarshal('h', body, &n), n)
	_, err = codec.Marshal('h', "text")
	fmt.Println(err)
	// Output:
	// cafe <nil>
	// <nil> 51966
	// hexadecimal codec: unsupported type string: want an int64
}
