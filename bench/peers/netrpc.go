package peers

import (
	"errors"
	"net"
	"net/rpc"
	"sync"
)

// GobBody is the body of net/rpc, which codes it as gob and wants an exported type.
type GobBody struct {
	Value []byte
}

// gobEcho is the receiver that net/rpc calls.
type gobEcho struct{}

// Echo answers with its argument.
func (gobEcho) Echo(req *GobBody, reply *GobBody) error {
	reply.Value = req.Value
	return nil
}

func netRPC() Peer {
	return Peer{
		Name: "net/rpc", About: "standard library: gob", Kind: Rival,
		Serve: serveNetRPC,
		Dial: func(addr string) (Client, error) {
			c, err := rpc.Dial("tcp", addr)
			if err != nil {
				return nil, err
			}
			return connection{
				caller: func(body []byte) func() ([]byte, error) {
					req := &GobBody{Value: body}
					return func() ([]byte, error) {
						reply := new(GobBody)
						err := c.Call("Echo.Echo", req, reply)
						return reply.Value, err
					}
				},
				close: c.Close,
			}, nil
		},
	}
}

func serveNetRPC() (Server, error) {
	srv := rpc.NewServer()
	if err := srv.RegisterName("Echo", gobEcho{}); err != nil {
		return Server{}, err
	}
	return acceptEach(func(conn net.Conn) { srv.ServeConn(conn) })
}

// acceptEach listens and serves each connection in a goroutine of its own. Stop closes the connections as well.
func acceptEach(serve func(net.Conn)) (Server, error) {
	ln, err := net.Listen("tcp", loopback)
	if err != nil {
		return Server{}, err
	}
	var mu sync.Mutex
	open := make(map[net.Conn]struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			mu.Lock()
			open[conn] = struct{}{}
			mu.Unlock()
			wg.Go(func() {
				serve(conn)
				_ = conn.Close()
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	return Server{Addr: ln.Addr().String(), Stop: func() {
		_ = ln.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	}}, nil
}
