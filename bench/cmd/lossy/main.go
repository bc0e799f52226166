//go:build linux

// Command lossy measures transports over a path that loses packets and delays the others, TCP of the system among them. The
// path is a network device that it makes, so it runs as root in a network namespace of its own:
//
//	unshare --net go run ./cmd/lossy -loss 0.05 -delay 20ms
//
// Output is a line a transport and number of sessions: calls a second that 32 callers with 1 KB each way make together.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osgochina/dmicro/bench/peers"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/logger"
)

const (
	device  = "lossy0"
	own     = "10.9.0.1"
	beyond  = "10.9.0.2" // whatever is sent there comes back to own, from there
	callers = 32
)

func main() {
	loss := flag.Float64("loss", 0.05, "share of packets that get lost, either way")
	delay := flag.Duration("delay", 20*time.Millisecond, "how late the others are, either way")
	duration := flag.Duration("duration", 8*time.Second, "how long to measure a row")
	flag.Parse()
	logger.SetLevel(logger.LevelCritical)
	if err := run(*loss, *delay, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "lossy:", err)
		os.Exit(1)
	}
}

func run(loss float64, delay, duration time.Duration) error {
	tun, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = tun.Close() }()
	go reflect(tun, loss, delay)
	for _, r := range []row{{"tcp", "cubic"}, {"tcp", "bbr"}, {"kcp", ""}, {"quic", ""}} {
		for _, sessions := range []int{1, 4} {
			rate, err := r.measure(sessions, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", r.network, err)
			}
			fmt.Printf("%s %s\t%d sessions\t%.0f calls/s\n", r.network, r.control, sessions, rate)
		}
	}
	return nil
}

// open makes the device.
func open() (*os.File, error) {
	if ifs, err := net.Interfaces(); err != nil || len(ifs) > 1 {
		return nil, errors.Join(errors.New("run it in a network namespace of its own: unshare --net"), err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(device)
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return nil, fmt.Errorf("a network device: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", own + "/24", "dev", device},
		{"link", "set", device, "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return os.NewFile(uintptr(fd), device), nil
}

// packet is one that is on its way.
type packet struct {
	due time.Time
	b   []byte
}

// reflect sends packets back, late, and not all of them, with their addresses swapped: so one system is both ends of the
// path. Swapping changes no checksum.
func reflect(tun io.ReadWriter, loss float64, delay time.Duration) {
	rng := rand.New(rand.NewPCG(5, 6))
	line := make(chan packet, 8192)
	go func() {
		for p := range line {
			time.Sleep(time.Until(p.due))
			_, _ = tun.Write(p.b) // a loss
		}
	}()
	for {
		b := make([]byte, 2048)
		n, err := tun.Read(b)
		if err != nil {
			close(line)
			return
		}
		if n < 20 || b[0]>>4 != 4 || rng.Float64() < loss {
			continue
		}
		var source [4]byte
		copy(source[:], b[12:16])
		copy(b[12:16], b[16:20])
		copy(b[16:20], source[:])
		select {
		case line <- packet{time.Now().Add(delay), b[:n]}:
		default: // a full line loses, too
		}
	}
}

// row is a transport to be measured, with a congestion control of TCP.
type row struct{ network, control string }

// measure returns the calls a second.
func (r row) measure(sessions int, duration time.Duration) (float64, error) {
	server, err := endpoint(r.network, true)
	if err != nil {
		return 0, err
	}
	defer func() { _ = server.Close() }()
	client, err := endpoint(r.network, false)
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Close() }()
	addr, err := listen(server)
	if err != nil {
		return 0, err
	}
	all := make([]drpc.Session, sessions)
	for i := range all {
		var stat *drpc.Status
		if all[i], stat = client.Dial(addr); stat == nil {
			stat = all[i].Call("/echo", []byte("x"), nil).Status()
		}
		if stat != nil {
			return 0, stat.Cause()
		}
	}
	if err = errors.Join(r.choose(server), r.choose(client)); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			body, reply := make([]byte, 1000), []byte(nil)
			for ctx.Err() == nil {
				stat := all[i%sessions].Call("/echo", body, &reply, message.WithContext(ctx)).Status()
				if stat.OK() {
					done.Add(1)
				} else if ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, "lossy:", r.network, stat)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(done.Load()) / duration.Seconds(), nil
}

// choose sets the congestion control of the sessions of an endpoint.
func (r row) choose(e drpc.Endpoint) (err error) {
	if r.control == "" {
		return nil
	}
	e.RangeSession(func(sess drpc.Session) bool {
		var refused error
		err = sess.(drpc.EarlySession).ControlFD(func(fd uintptr) {
			refused = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, r.control)
		})
		if err = errors.Join(err, refused); err != nil {
			err = fmt.Errorf("congestion control %s: %w", r.control, err)
		}
		return err == nil
	})
	return err
}

func endpoint(network string, server bool) (drpc.Endpoint, error) {
	e, err := drpc.New(drpc.EndpointConfig{
		Network: network, ListenIP: own, LocalIP: own, DefaultBodyCodec: "plain", DialTimeout: 30 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, b *[]byte) ([]byte, *drpc.Status) { return *b, nil })
	if network == "quic" {
		err = peers.Secure(e, server)
	}
	return e, err
}

// listen returns the address beyond the path of a server that has begun to listen.
func listen(server drpc.Endpoint) (string, error) {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	for {
		if addrs := server.(interface{ Addrs() []net.Addr }).Addrs(); len(addrs) > 0 {
			_, port, err := net.SplitHostPort(addrs[0].String())
			if _, bad := strconv.Atoi(port); err != nil || bad != nil {
				return "", fmt.Errorf("address %v", addrs[0])
			}
			return net.JoinHostPort(beyond, port), nil
		}
		select {
		case err := <-failed:
			return "", err
		case <-time.After(time.Millisecond):
		}
	}
}
