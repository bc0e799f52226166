package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// maxLine bounds a line.
const maxLine = 4 << 10

// lineServer answers one line a connection.
type lineServer struct {
	greeting string
	active   sync.WaitGroup
}

// serve ends with the listener.
func (s *lineServer) serve(ln net.Listener) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		s.active.Go(func() { s.talk(conn) })
	}
}

// talk answers one line; a peer that goes away without asking needs no answer.
func (s *lineServer) talk(conn net.Conn) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(drainLimit)) != nil {
		return
	}
	in := bufio.NewScanner(io.LimitReader(conn, maxLine))
	if in.Scan() {
		_, _ = io.WriteString(conn, answer(s.greeting, in.Text()))
	}
}

// wait returns when every connection has been answered. It is called once serve has returned.
func (s *lineServer) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.active.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
