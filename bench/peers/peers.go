// Package peers holds one and the same echo in the RPC frameworks that DMicro is measured beside, and in two floors that
// are nothing but frames.
//
// Every peer answers a request of some bytes with the same bytes, over TCP on the loopback address; those of Transports show
// other ways. Bodies are coded as
// protobuf where the peer can, as one message with one bytes field. Each peer is set up as its own documentation shows
// it, without tuning. A request message belongs to the goroutine that calls and is sent again and again; a reply message
// is new for each call, as in generated code.
//
// Servers and clients are safe for concurrent use. A function that Caller returned is not.
package peers

import (
	"fmt"
	"slices"
	"strings"
)

// Peer is one way to make an echo.
type Peer struct {
	// Name is what flags and reports call the peer.
	Name string
	// About says in a few words what is measured.
	About string
	// Kind says what the figures of the peer are compared for.
	Kind Kind
	// Serve starts a server on a free port of the loopback address.
	Serve func() (Server, error)
	// Dial opens one connection to such a server.
	Dial func(addr string) (Client, error)
}

// Kind says what a peer stands for.
type Kind uint8

const (
	// Ours is what is measured.
	Ours Kind = iota
	// Rival is a framework to compare it with.
	Rival
	// Floor is what the machine can do without any framework.
	Floor
)

// Server is a running server.
type Server struct {
	// Addr is where it listens.
	Addr string
	// Stop ends it and returns when its listener is closed.
	Stop func()
}

// Client is one connection.
type Client interface {
	// Caller returns a function that sends body once and returns what came back. It is for one goroutine.
	Caller(body []byte) func() ([]byte, error)
	// Close ends the connection.
	Close() error
}

// connection is a Client made of functions.
type connection struct {
	caller func(body []byte) func() ([]byte, error)
	close  func() error
}

func (c connection) Caller(body []byte) func() ([]byte, error) { return c.caller(body) }
func (c connection) Close() error                              { return c.close() }

// DMicro is the name of DMicro with its default configuration.
const DMicro = "ours"

// MuxFloor is the name of the floor with a goroutine for each request, which ratios to the floor are taken of.
const MuxFloor = "floor-mux"

// loopback is the address to listen on: some free port.
const loopback = "127.0.0.1:0"

// Frameworks returns DMicro, the other frameworks and the floors, in the order of a report.
func Frameworks() []Peer {
	return []Peer{
		oursDefault(), netRPC(), arpcPeer(), rpcxPeer(), grpcPeer(), storjPeer(), floorSeq(), floorMux(),
	}
}

// Named returns the peer with this name among those of Frameworks, Features and Transports.
func Named(name string) (Peer, error) {
	for _, p := range slices.Concat(Frameworks(), Features(), Transports()) {
		if p.Name == name {
			return p, nil
		}
	}
	return Peer{}, fmt.Errorf("no peer is named %q", name)
}

// Select returns those of all whose names are listed, separated by commas, in the order of all; an empty list is all.
func Select(all []Peer, list string) ([]Peer, error) {
	if list == "" {
		return all, nil
	}
	wanted := make(map[string]bool)
	for name := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []Peer
	for _, p := range all {
		if wanted[p.Name] {
			chosen = append(chosen, p)
			delete(wanted, p.Name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("no peer is named %q", name)
	}
	return chosen, nil
}
