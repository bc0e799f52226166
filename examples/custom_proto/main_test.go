package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

func TestExamplePrintsWhatItSays(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	want := "client got: 15\nclient got: Not Found\nby hand:    1 2 - 0 42\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestManyCallersShareASession(t *testing.T) {
	t.Parallel()
	where := make(listening, 1)
	server, err := drpc.New(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, where)
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(server, "/sum", sum)
	done := make(chan error, 1)
	go func() { done <- server.ListenAndServe(newLine) }()
	client, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	sess, stat := client.Dial((<-where).String(), newLine)
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
	if err = client.Close(); err != nil {
		t.Error(err)
	}
	if err = server.Close(); err != nil {
		t.Error(err)
	}
	<-done
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
