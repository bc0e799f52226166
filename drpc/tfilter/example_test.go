package tfilter_test

import (
	"fmt"
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
