package dserver

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/graceful"
)

const (
	// orphanTime is how long a worker waits for an address that workers of a master that was killed may still hold.
	orphanTime = 4 * time.Second
	bindPoll   = 50 * time.Millisecond
)

// binder binds the sockets of this process's transports through package graceful, so that they survive a reload. It
// counts them: that a sandbox listens is how it is seen to be up, since its Setup may never return.
type binder struct {
	up *graceful.Upgrader

	mu      sync.Mutex
	bound   int
	last    time.Time
	patient time.Duration // for an address that is in use
}

// bindAll makes the one binder of the process the way in which transports bind.
var bindAll = sync.OnceValues(func() (*binder, error) {
	up, err := graceful.Default()
	if err != nil {
		return nil, err
	}
	b := &binder{up: up}
	netproto.SetListen(b.listen)
	netproto.SetListenPacket(b.listenPacket)
	return b, nil
})

// Listen returns a listener for a server in a sandbox that does not listen through a transport of drpc, such as one of
// ghttp or net/http: the inherited one if the process before listened there, else a new one. Networks are tcp, tcp4, tcp6,
// unix and unixpacket. A port of 0 finds the port that the same sandbox had, as it does for transports: Listen is to be
// called by Setup, or by goroutines that Setup has started. When another process has taken over, Accept waits for Close, so that the end of Accept does not
// end what is still to be finished; see graceful.Patient. Shutdown of the sandbox is the time to finish it, for HTTP with a
// graceful.HTTPDrain.
func Listen(network, address string) (net.Listener, error) {
	b, err := bindAll()
	if err != nil {
		return nil, err
	}
	return b.listen(context.Background(), network, address)
}

func (b *binder) listen(ctx context.Context, network, address string) (net.Listener, error) {
	ctx = graceful.WithOwner(ctx, askingSandbox())
	ln, err := persist(ctx, b.patience(), func() (net.Listener, error) { return b.up.Listen(ctx, network, address) })
	if err != nil {
		return nil, err
	}
	b.note()
	return graceful.Patient(ln), nil // or the server's sessions would end with its Accept, and nobody had told the peers
}

func (b *binder) listenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	ctx = graceful.WithOwner(ctx, askingSandbox())
	pc, err := persist(ctx, b.patience(), func() (net.PacketConn, error) { return b.up.ListenPacket(ctx, network, address) })
	if err == nil {
		b.note()
	}
	return pc, err
}

// persist repeats bind while the address is in use, for at most patience.
func persist[T any](ctx context.Context, patience time.Duration, bind func() (T, error)) (T, error) {
	for deadline := time.Now().Add(patience); ; {
		v, err := bind()
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return v, err
		}
		select {
		case <-time.After(bindPoll):
		case <-ctx.Done():
			return v, err
		}
	}
}

func (b *binder) patience() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.patient
}

func (b *binder) waitForOrphans() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.patient = orphanTime
}

func (b *binder) note() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound++
	b.last = time.Now()
}

// count returns how many sockets were bound, and when the last one was.
func (b *binder) count() (n int, last time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bound, b.last
}
