package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

var (
	mdnsGroup4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	mdnsGroup6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353}

	// silent is for a library that logs what strangers send.
	silent = log.New(io.Discard, "", 0)
)

// responder answers questions for one instance.
type responder struct {
	records atomic.Pointer[recordSet]
	server  *mdns.Server
}

func newResponder(records *recordSet) (*responder, error) {
	r := &responder{}
	r.records.Store(records)
	server, err := mdns.NewServer(&mdns.Config{Zone: r, Logger: silent})
	if err != nil {
		return nil, fmt.Errorf("mdns: %w", err)
	}
	r.server = server
	multicastOut(records.message(mdnsTTL))
	return r, nil
}

// Records implements mdns.Zone.
func (r *responder) Records(q dns.Question) []dns.RR { return r.records.Load().Records(q) }

func (r *responder) change(records *recordSet) {
	if !r.records.Load().equal(records) {
		r.records.Store(records)
		multicastOut(records.message(mdnsTTL))
	}
}

// close stops answering and says good-bye, for who listens.
func (r *responder) close() {
	_ = r.server.Shutdown() // it has no errors
	multicastOut(r.records.Load().message(0))
}

// multicastOut sends a message to everybody. That nobody can be reached is no error: it is a courtesy.
func multicastOut(m *dns.Msg) {
	b, err := m.Pack()
	if err != nil {
		return
	}
	for network, group := range map[string]*net.UDPAddr{"udp4": mdnsGroup4, "udp6": mdnsGroup6} {
		if conn, err := net.ListenUDP(network, nil); err == nil {
			_, _ = conn.WriteToUDP(b, group)
			_ = conn.Close()
		}
	}
}

// rounds are how long a look-up waits before it asks again, as parts of the timeout: packets get lost. It ends
// with the first round that has answers.
var rounds = [...]float64{0.1, 0.3, 0.6}

// mdnsMaxEntries bounds the answers of a round.
const mdnsMaxEntries = 4096

// query asks for the instances of a service.
func query(ctx context.Context, service, domain string, timeout time.Duration) ([]*mdns.ServiceEntry, error) {
	for _, part := range rounds {
		entries, err := queryOnce(ctx, service, domain, time.Duration(float64(timeout)*part))
		if err != nil {
			return nil, err
		}
		if entries = slices.DeleteFunc(entries, func(e *mdns.ServiceEntry) bool {
			_, ok := instanceOf(e.Name, service, domain)
			return !ok
		}); len(entries) > 0 {
			return entries, nil
		}
	}
	return nil, nil
}

// queryOnce is one question. The entries may be read only after it is over, since the library goes on filling them in. A
// machine may have no route for one of the protocols, which the library takes for an error of both.
func queryOnce(ctx context.Context, service, domain string, timeout time.Duration) ([]*mdns.ServiceEntry, error) {
	var errs []error
	for _, p := range []struct{ no4, no6 bool }{{}, {no6: true}, {no4: true}} {
		entries := make(chan *mdns.ServiceEntry, mdnsMaxEntries)
		done := make(chan error, 1)
		go func() {
			done <- mdns.QueryContext(ctx, &mdns.QueryParam{
				Service: escapeName(service), Domain: domain, Timeout: timeout, Entries: entries,
				DisableIPv4: p.no4, DisableIPv6: p.no6, Logger: silent,
			})
		}()
		select {
		case err := <-done:
			if err != nil {
				errs = append(errs, err)
				continue
			}
			close(entries)
			var all []*mdns.ServiceEntry
			for e := range entries {
				all = append(all, e)
			}
			return all, ctx.Err()
		case <-ctx.Done(): // the library notices when the timeout is over
			return nil, ctx.Err()
		}
	}
	return nil, errors.Join(errs...)
}

// listenIn calls heard with each answer on the network until ctx is done. It does nothing where multicast is not
// possible; then there are only the polls.
func listenIn(ctx context.Context, heard func(*dns.Msg)) {
	for network, group := range map[string]*net.UDPAddr{"udp4": mdnsGroup4, "udp6": mdnsGroup6} {
		conn, err := net.ListenMulticastUDP(network, nil, group)
		if err != nil {
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		go func() {
			defer stop()
			defer func() { _ = conn.Close() }()
			buf := make([]byte, 64<<10)
			for {
				n, _, err := conn.ReadFromUDP(buf)
				if err != nil {
					return
				}
				var m dns.Msg
				if m.Unpack(buf[:n]) == nil && m.Response {
					heard(&m)
				}
			}
		}()
	}
}
