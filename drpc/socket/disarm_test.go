package socket_test

import (
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// A write that had to wait leaves no deadline behind that ends a later one.
func TestWriteTimeoutCountsFromEachWrite(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second // the reader has to be quicker
	near, far := tcpPair(t)
	s := socket.New(near, socket.Options{WriteTimeout: timeout})
	peer := socket.New(far, socket.Options{})
	for i := range 2 {
		// More than the buffers of the kernel hold, so that the sender has to wait for the reader.
		sent := async(func() error { return send(t.Context(), s, call(int32(i), "/m", make([]byte, 4<<20-100)), true) })
		if _, _, err := read(peer); err != nil {
			t.Fatal(err)
		}
		if err := polltest.Receive(t, "large frame", sent); err != nil {
			t.Fatal(err)
		}
		pause := time.NewTimer(timeout + timeout/10)
		<-pause.C
		if err := send(t.Context(), s, call(int32(i), "/m", nil), true); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if _, _, err := read(peer); err != nil {
			t.Fatal(err)
		}
	}
}
