package netproto_test

import (
	"crypto/tls"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc/internal/transporttest"
	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/netproto/kcp"
	"github.com/osgochina/dmicro/drpc/netproto/quic"
	"github.com/osgochina/dmicro/logger"
)

// idle is the time in which the transports of the tests notice that a peer is gone.
const idle = 2 * time.Second

// The transports over UDP are tested with a short idle time, and quic with a certificate that nobody vouches for.
func init() {
	netproto.Register(kcp.New(kcp.Config{Idle: idle}, "kcp-test"))
	netproto.Register(quic.New(quic.Config{Idle: idle, TLS: &tls.Config{InsecureSkipVerify: true}}, "quic-test"))
}

// transports are the rows of the suite that are registered with this package.
var transports = []transporttest.Transport{
	{Name: "tcp", Network: "tcp"},
	{Name: "unix", Network: "unix"},
	{Name: "unixpacket", Network: "unixpacket"},
	{Name: "kcp", Network: "kcp-test", UDP: true, Idle: idle},
	{Name: "quic", Network: "quic-test", UDP: true, Idle: idle, Secure: true},
}

func TestTransports(t *testing.T) { transporttest.Run(t, transports...) }

func BenchmarkTransports(b *testing.B) {
	for _, tr := range transports {
		b.Run(tr.Name, func(b *testing.B) { transporttest.Bench(b, tr) })
	}
}

// BenchmarkLossyPath shows what several sessions have of a path that loses datagrams.
func BenchmarkLossyPath(b *testing.B) {
	for _, tr := range transports {
		for _, sessions := range []int{1, 4, 8} {
			if tr.UDP {
				b.Run(tr.Name+"/"+strconv.Itoa(sessions), func(b *testing.B) { transporttest.BenchLossy(b, tr, sessions) })
			}
		}
	}
}

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // many tests cause errors on purpose
	transporttest.Main(transports...)
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
