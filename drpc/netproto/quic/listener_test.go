package quic

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/osgochina/dmicro/internal/conntest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
	"github.com/osgochina/dmicro/internal/race"
)

// silentClients are a client that opens no stream, of each kind, and one that opens its stream and does not say that it did.
func silentClients(t *testing.T, addr net.Addr) []*quicgo.Conn {
	t.Helper()
	half := rawDial(t, addr, "http/1.1")
	if _, err := half.OpenStream(); err != nil && half.Context().Err() == nil { // it may have been silent for too long by now
		t.Fatal(err)
	}
	return []*quicgo.Conn{rawDial(t, addr, protocol), rawDial(t, addr, "h2"), half}
}

func TestSilentClientsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	ln := listen(t, fixed(development), Config{SilenceTimeout: time.Hour})
	silentClients(t, ln.Addr())
	dialTo(t, ln.Addr(), development, Config{})
	conntest.Accept(t, ln)
}

func TestSilentClientsAreClosed(t *testing.T) {
	t.Parallel()
	ln := listen(t, fixed(development), Config{SilenceTimeout: 300 * time.Millisecond})
	for _, conn := range silentClients(t, ln.Addr()) {
		select {
		case <-conn.Context().Done():
			var closed *quicgo.ApplicationError
			if err := context.Cause(conn.Context()); !errors.As(err, &closed) || closed.ErrorCode != codeSilent {
				t.Errorf("%v", err)
			}
		case <-time.After(conntest.Patience):
			t.Fatal("a silent connection stays open")
		}
	}
}

func TestClientThatLeavesEndsNothing(t *testing.T) {
	t.Parallel()
	ln := listen(t, fixed(development), Config{})
	for range 5 {
		_ = rawDial(t, ln.Addr(), protocol).CloseWithError(7, "changed my mind")
	}
	dialTo(t, ln.Addr(), development, Config{})
	conntest.Accept(t, ln)
}

func TestStreamThatBeginsWithSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	ln := listen(t, fixed(development), Config{})
	conn := rawDial(t, ln.Addr(), protocol)
	stream, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Write([]byte{version + 1, 0, 0}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-conn.Context().Done():
	case <-time.After(conntest.Patience):
		t.Fatal("it is taken")
	}
	dialTo(t, ln.Addr(), development, Config{}) // somebody else is
	conntest.Accept(t, ln)
}

func TestConnectionHasOneStream(t *testing.T) {
	t.Parallel()
	ln := listen(t, fixed(development), Config{})
	conn := rawDial(t, ln.Addr(), protocol)
	if _, err := conn.OpenStream(); err != nil {
		t.Fatal(err)
	}
	var limit *quicgo.StreamLimitReachedError
	if _, err := conn.OpenStream(); !errors.As(err, &limit) {
		t.Errorf("a second stream: %v", err)
	}
	if _, err := conn.OpenUniStream(); !errors.As(err, &limit) {
		t.Errorf("a stream in one direction: %v", err)
	}
}

func TestListenerThatClosesLeavesItsConnectionsAlone(t *testing.T) {
	t.Parallel()
	ln := serve(t, porttest.ListenUDP(t), fixed(development), Config{SilenceTimeout: time.Hour})
	client := dialTo(t, ln.Addr(), development, Config{})
	server := conntest.Accept(t, ln)
	unaccepted := dialTo(t, ln.Addr(), development, Config{})
	silent := rawDial(t, ln.Addr(), protocol)
	addr := ln.Addr().String()
	begin := time.Now()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > conntest.Patience/2 {
		t.Errorf("Close took %v", took)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	_ = unaccepted.SetReadDeadline(time.Now().Add(conntest.Patience))
	if _, err := unaccepted.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a connection that was not accepted: %v", err)
	}
	select {
	case <-silent.Context().Done():
	case <-time.After(conntest.Patience):
		t.Error("a connection without stream stays open")
	}
	go func() { _, _ = io.Copy(server, server) }()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	_ = client.Close()
	_ = server.Close()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatalf("the socket stays bound: %v", err)
	}
	_ = pc.Close()
}

func TestConnectionsAboveTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	ln := listen(t, fixed(development), Config{MaxSessions: 2})
	first := dialTo(t, ln.Addr(), development, Config{})
	dialTo(t, ln.Addr(), development, Config{})
	_, err := Dial(context.Background(), "udp", "", ln.Addr().String(), development, Config{})
	var refused *quicgo.TransportError
	if !errors.As(err, &refused) || refused.ErrorCode != quicgo.ConnectionRefused {
		t.Errorf("%v", err)
	}
	// Which of the two is accepted first is up to the scheduler, and a connection is not counted any more shortly after it
	// has ended.
	for range 2 {
		if server := conntest.Accept(t, ln); portOf(server.RemoteAddr()) == portOf(first.LocalAddr()) {
			_ = first.Close()
			_ = server.Close()
		}
	}
	polltest.Until(t, "one connection less", func() bool { return ln.live.Load() == 1 })
	dialTo(t, ln.Addr(), development, Config{})
}

func portOf(addr net.Addr) int { return addr.(*net.UDPAddr).Port }

// hearing is a packet connection that says what it has got: whether a Retry, by which a server asks a client to prove its
// address. A deaf one gets nothing at all.
type hearing struct {
	net.PacketConn
	deaf  bool
	retry atomic.Bool
}

func (h *hearing) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := h.PacketConn.ReadFrom(b)
		if err != nil || !h.deaf {
			if n > 0 && b[0]&0xf0 == 0xf0 { // RFC 9000, section 17.2.5
				h.retry.Store(true)
			}
			return n, from, err
		}
	}
}

// openOver opens a connection over a packet connection, which is closed after it.
func openOver(ctx context.Context, pc net.PacketConn, to net.Addr) (*Conn, error) {
	s := newSocket(pc)
	cfg := Config{Linger: time.Millisecond, DialTimeout: conntest.Patience}
	c, err := open(ctx, s, to, clientTLS(development, to.String()), cfg.withDefaults())
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	return c, nil
}

func TestClientsProveTheirAddressWhileManyHandshakesAreUnfinished(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, unfinished := range []int{0, manyHandshakes} {
		ln := listen(t, fixed(development), Config{DialTimeout: conntest.Patience})
		for range unfinished {
			deaf := &hearing{PacketConn: conntest.PacketConn(t), deaf: true}
			wg.Go(func() { _, _ = openOver(ctx, deaf, ln.Addr()) })
		}
		polltest.Until(t, "all of them have begun", func() bool { return ln.live.Load() == int64(unfinished) })
		honest := &hearing{PacketConn: conntest.PacketConn(t)}
		client, err := openOver(ctx, honest, ln.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conntest.Accept(t, ln)
		if asked := honest.retry.Load(); asked != (unfinished > 0) {
			t.Errorf("%d unfinished handshakes: asked to prove the address: %v", unfinished, asked)
		}
		_ = client.Close()
	}
}

func TestManyClientsAtOnceGetIn(t *testing.T) {
	clients := 100 // which keep the machine busy: no other test runs meanwhile
	if race.Enabled {
		clients = manyHandshakes + 8 // the detector makes each cost ten times as much
	}
	ln := listen(t, fixed(development), Config{})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			conn, err := Dial(context.Background(), "udp", "", ln.Addr().String(), development, Config{DialTimeout: conntest.Patience})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err = conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("closed by the server: %v", err)
			}
			_ = conn.Close()
		})
	}
	for range clients {
		conn := conntest.Accept(t, ln)
		wg.Go(func() { _ = conn.Close() })
	}
	wg.Wait()
}

func TestSocketThatFailsEndsAccept(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := ServeConn(pc, fixed(development), Config{})
	if err != nil {
		t.Fatal(err)
	}
	client := dialTo(t, ln.Addr(), development, Config{Linger: time.Millisecond})
	server := conntest.Accept(t, ln)
	_ = pc.Close()
	if _, err = ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if _, err = server.Read(make([]byte, 1)); err == nil {
		t.Error("a connection on it goes on")
	}
	_ = client.Close()
	_ = ln.Close()
}
