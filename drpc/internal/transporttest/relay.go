package transporttest

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// relay passes datagrams on between clients and a server, late, and not all of them.
type relay struct {
	front  *net.UDPConn
	server *net.UDPAddr
	loss   float64
	delay  time.Duration

	mu    sync.Mutex
	rng   *rand.Rand
	backs map[string]*net.UDPConn
	done  chan struct{}
	wg    sync.WaitGroup
}

// NewRelay returns the address that clients send to. The relay ends with the test.
func NewRelay(t testing.TB, server *net.UDPAddr, loss float64, delay time.Duration) net.Addr {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{
		front: front, server: server, loss: loss, delay: delay, rng: rand.New(rand.NewPCG(5, 6)),
		backs: make(map[string]*net.UDPConn), done: make(chan struct{}),
	}
	forward := r.line(func(b []byte, client *net.UDPAddr) {
		if back := r.back(client); back != nil {
			_, _ = back.Write(b) // a loss
		}
	})
	r.wg.Go(func() { r.pump(front, func(b []byte, from *net.UDPAddr) { forward(b, from) }) })
	t.Cleanup(func() {
		close(r.done)
		_ = front.Close()
		r.mu.Lock()
		for _, back := range r.backs {
			_ = back.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return front.LocalAddr()
}

// back is the socket by which a client is known to the server, nil if there can be none.
func (r *relay) back(client *net.UDPAddr) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.done:
		return nil // nobody would close it
	default:
	}
	if back := r.backs[client.String()]; back != nil {
		return back
	}
	back, err := net.DialUDP("udp", nil, r.server)
	if err != nil {
		return nil
	}
	r.backs[client.String()] = back
	reply := r.line(func(b []byte, _ *net.UDPAddr) { _, _ = r.front.WriteToUDP(b, client) })
	r.wg.Go(func() { r.pump(back, func(b []byte, _ *net.UDPAddr) { reply(b, nil) }) })
	return back
}

// pump passes on what comes in, except what gets lost.
func (r *relay) pump(conn *net.UDPConn, pass func([]byte, *net.UDPAddr)) {
	b := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDP(b)
		if err != nil {
			select {
			case <-r.done:
				return
			default:
				continue // the server's port may be closed for a while
			}
		}
		r.mu.Lock()
		lost := r.rng.Float64() < r.loss
		r.mu.Unlock()
		if !lost {
			pass(append([]byte(nil), b[:n]...), from)
		}
	}
}

// line returns a function that delivers what it gets after the delay, in order.
func (r *relay) line(deliver func([]byte, *net.UDPAddr)) func([]byte, *net.UDPAddr) {
	type parcel struct {
		due  time.Time
		b    []byte
		from *net.UDPAddr
	}
	parcels := make(chan parcel, 4096)
	r.wg.Go(func() {
		for {
			select {
			case p := <-parcels:
				select {
				case <-time.After(time.Until(p.due)):
					deliver(p.b, p.from)
				case <-r.done:
					return
				}
			case <-r.done:
				return
			}
		}
	})
	return func(b []byte, from *net.UDPAddr) {
		select {
		case parcels <- parcel{time.Now().Add(r.delay), b, from}:
		default: // a full line loses, too
		}
	}
}
