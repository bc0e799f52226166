// Command client calls /math/add of the quickstart server and prints the result.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

func main() {
	address := flag.String("addr", cmp.Or(os.Getenv("MATH_ADDR"), "127.0.0.1:9091"), "address of the server")
	flag.Parse()
	if err := run(*address); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(address string) (err error) {
	endpoint, err := drpc.New(drpc.EndpointConfig{DialTimeout: 3 * time.Second})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := endpoint.Close(); err == nil {
			err = closeErr
		}
	}()
	session, stat := endpoint.Dial(address)
	if !stat.OK() {
		return fmt.Errorf("dial %s: %v", address, stat)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var sum int
	stat = session.Call("/math/add", []int{1, 2, 3, 4, 5}, &sum,
		message.WithContext(ctx), message.WithSetMeta("author", "someone")).Status()
	if !stat.OK() {
		return fmt.Errorf("call: %v", stat)
	}
	fmt.Printf("result: %d\n", sum)
	return nil
}
