package tfilter_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

// The filters have been registered at the start of the program: tfilter.RegMD5(), tfilter.RegGzip(5). A pipe applies its
// last filter first and undoes that in reverse. A message gets its filters by message.WithTFilterPipe.
func ExamplePipeTFilter() {
	pipe := tfilter.NewPipeTFilter()
	if err := pipe.Append(tfilter.Md5Id, tfilter.GzipId); err != nil {
		fmt.Println(err)
		return
	}
	text := strings.Repeat("all work and no play ", 1000)
	packed, err := pipe.OnPack([]byte(text))
	fmt.Println(pipe.Names(), len(packed) < len(text)/10, err)

	unpacked, err := pipe.OnUnpackLimit(packed, len(text))
	fmt.Println(string(unpacked) == text, err)

	_, err = pipe.OnUnpackLimit(packed, 100)
	fmt.Println(err)

	packed[0] ^= 1
	_, err = pipe.OnUnpack(packed)
	fmt.Println(err)
	// Output:
	// [md5 gzip] true <nil>
	// true <nil>
	// transfer filter gzip: payload exceeds 100 bytes when unpacked
	// transfer filter md5: check failed
}

// turn is a filter that sends payloads the other way round.
type turn struct{}

func (turn) ID() byte     { return 't' }
func (turn) Name() string { return "turn" }

func (turn) OnPack(src []byte) ([]byte, error) {
	out := slices.Clone(src) // which is only lent
	slices.Reverse(out)
	return out, nil
}

func (f turn) OnUnpack(src []byte) ([]byte, error) { return f.OnPack(src) }

func init() { tfilter.Reg(turn{}) }

// A filter of one's own, registered by an init function on both sides: tfilter.Reg(turn{}).
func ExampleReg() {
	pipe := tfilter.NewPipeTFilter()
	if err := pipe.Append('t'); err != nil {
		fmt.Println(err)
		return
	}
	packed, err := pipe.OnPack([]byte("stressed"))
	fmt.Println(string(packed), err)
	text, err := pipe.OnUnpack(packed)
	fmt.Println(string(text), err)
	// Output:
	// desserts <nil>
	// stressed <nil>
}
