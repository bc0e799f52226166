package quic_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/osgochina/dmicro/drpc/internal/transporttest"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/conntest"
)

// BenchmarkStreams asks what a session would have of more streams: 32 callers with 1 KB each way, who share so many
// streams of one connection, over loopback and over a path that loses datagrams. A stream waits for what was lost of it,
// others go on.
func BenchmarkStreams(b *testing.B) {
	for _, path := range []struct {
		name  string
		loss  float64
		delay time.Duration
	}{{"loopback", 0, 0}, {"20ms", 0, 20 * time.Millisecond}, {"20ms and 5% loss", 0.05, 20 * time.Millisecond}} {
		for _, streams := range []int{1, 4, 32} {
			b.Run(path.name+"/"+strconv.Itoa(streams), func(b *testing.B) {
				benchStreams(b, streams, func(server net.Addr) net.Addr {
					if path.delay == 0 {
						return server
					}
					return transporttest.NewRelay(b, server.(*net.UDPAddr), path.loss, path.delay)
				})
			})
		}
	}
}

const (
	streamCallers = 32
	streamFrame   = 1000
)

func benchStreams(b *testing.B, n int, path func(net.Addr) net.Addr) {
	ca := certtest.New(b)
	served, trusting := ca.Server("localhost"), ca.Client()
	trusting.ServerName = "localhost"
	for _, cfg := range []*tls.Config{served, trusting} {
		cfg.NextProtos = []string{"streams"}
	}
	ln, err := quicgo.ListenAddr("127.0.0.1:0", served, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*conntest.Patience)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { _ = ln.Close() }()
	wg.Go(func() {
		conn, err := ln.Accept(ctx)
		if err != nil {
			return
		}
		for {
			s, err := conn.AcceptStream(ctx)
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.CopyBuffer(s, s, make([]byte, 64<<10)) })
		}
	})
	conn, err := quicgo.DialAddr(ctx, path(ln.Addr()).String(), trusting, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.CloseWithError(0, "") }()
	replies := make([]chan struct{}, streamCallers)
	for i := range replies {
		replies[i] = make(chan struct{}, 1)
	}
	streams := make([]*sharedStream, n)
	for i := range streams {
		s, err := conn.OpenStreamSync(ctx)
		if err != nil {
			b.Fatal(err)
		}
		streams[i] = &sharedStream{stream: s}
		wg.Go(func() { streams[i].deliver(replies) })
	}
	b.ResetTimer()
	var calls atomic.Int64
	var callers sync.WaitGroup
	for c := range streamCallers {
		callers.Go(func() {
			for calls.Add(1) <= int64(b.N) {
				if err := streams[c%n].send(c); err != nil {
					b.Error(err)
					return
				}
				<-replies[c]
			}
		})
	}
	callers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// sharedStream is a stream with the callers that share it.
type sharedStream struct {
	mu     sync.Mutex
	stream *quicgo.Stream
}

// send sends a frame with the number of its caller.
func (s *sharedStream) send(caller int) error {
	frame := make([]byte, streamFrame)
	binary.BigEndian.PutUint32(frame, uint32(caller))
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.stream.Write(frame)
	return err
}

// deliver wakes the callers whose frames come back.
func (s *sharedStream) deliver(replies []chan struct{}) {
	frame := make([]byte, streamFrame)
	for {
		if _, err := io.ReadFull(s.stream, frame); err != nil {
			return
		}
		replies[binary.BigEndian.Uint32(frame)] <- struct{}{}
	}
}
