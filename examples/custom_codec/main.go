// Command custom_codec sends bodies in an encoding of the program's own.
package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

// numbers encodes a []int as "1 2 3".
type numbers struct{}

func (numbers) ID() byte     { return 'N' }
func (numbers) Name() string { return "numbers" }

func (numbers) Marshal(v any) ([]byte, error) {
	list, ok := v.([]int)
	if !ok {
		return nil, fmt.Errorf("numbers codec: cannot encode %T", v)
	}
	return []byte(strings.Trim(fmt.Sprint(list), "[]")), nil
}

func (numbers) Unmarshal(data []byte, v any) error {
	list, ok := v.(*[]int)
	if !ok {
		return fmt.Errorf("numbers codec: cannot decode into %T", v)
	}
	*list = nil
	for word := range strings.FieldsSeq(string(data)) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("numbers codec: %w", err)
		}
		*list = append(*list, n)
	}
	return nil
}

func init() { codec.Reg(numbers{}) } // both sides, before they use the network

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/reverse", func(ctx drpc.CallCtx, list *[]int) ([]int, *drpc.Status) {
		fmt.Printf("codec %c: %v\n", ctx.GetBodyCodec(), *list)
		for i, j := 0, len(*list)-1; i < j; i, j = i+1, j-1 {
			(*list)[i], (*list)[j] = (*list)[j], (*list)[i]
		}
		return *list, nil
	})
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{DefaultBodyCodec: "numbers"})
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var reply []int
	demo.OK(sess.Call("/reverse", []int{1, 2, 3}, &reply).Status())
	fmt.Println(reply)
	fmt.Println(sess.Call("/reverse", "text", &reply).Status().Cause())
}

// Output:
// codec N: [1 2 3]
// [3 2 1]
// numbers codec: cannot encode string
