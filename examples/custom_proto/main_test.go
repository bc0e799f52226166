package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func TestManyCallersShareASession(t *testing.T) {
	t.Parallel()
	server, client := demo.Endpoint(drpc.EndpointConfig{}), demo.Endpoint(drpc.EndpointConfig{})
	drpc.HandleCall(server, "/sum", sum)
	sess, stat := client.Dial(demo.Serve(server, newLine), newLine)
	if stat != nil {
		t.Fatal(stat)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			var n int
			if stat := sess.Call("/sum", []int{i, 1000}, &n).Status(); stat != nil || n != 1000+i {
				t.Errorf("%d: %d, %v", i, n, stat)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(client.Close(), server.Close()); err != nil {
		t.Error(err)
	}
}

// pipe is a connection whose other end has said all it has to say.
type pipe struct {
	io.Reader
	io.Writer
}

func FuzzUnpack(f *testing.F) {
	f.Add("1 1 /sum 0 [1,2]\n")
	f.Add("1 2 - 404 Not Found\r\n")
	f.Add("")
	f.Add(strings.Repeat("x", 100))
	f.Fuzz(func(t *testing.T, text string) {
		m := message.NewMessage(message.WithBody(new([]byte)))
		if err := newLine(pipe{strings.NewReader(text), io.Discard}).Unpack(m); err != nil {
			return
		}
		var again bytes.Buffer
		if err := newLine(pipe{nil, &again}).Pack(m); err != nil {
			t.Fatalf("%q was read, but cannot be written: %v", text, err)
		}
		if got := strings.Count(again.String(), "\n"); got != 1 {
			t.Errorf("%d lines", got)
		}
		_ = fmt.Sprint(m)
	})
}
