package status_test

import (
	"errors"
	"fmt"
	"io"

	"github.com/osgochina/dmicro/drpc/status"
)

func Example() {
	notFound := status.New(404, "Not Found")

	// A shared status is never changed: derive one for this request.
	stat := notFound.Copy(fmt.Errorf("reading user 7: %w", io.EOF))

	fmt.Println(stat.OK(), stat.Code(), stat.Msg())
	fmt.Println(stat)
	fmt.Println(errors.Is(stat.Cause(), io.EOF))
	// Output:
	// false 404 Not Found
	// {"code":404,"msg":"Not Found","cause":"reading user 7: EOF"}
	// true
}

func ExampleParse() {
	stat, err := status.Parse([]byte(`{"code":0,"msg":"","cause":""}`))
	fmt.Println(stat == nil, stat.OK(), err)
	// Output: true true <nil>
}
