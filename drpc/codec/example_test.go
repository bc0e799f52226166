package codec_test

import (
	"errors"
	"fmt"

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
