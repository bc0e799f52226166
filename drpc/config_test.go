package drpc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestConfigurationHasDefaults(t *testing.T) {
	t.Parallel()
	var got EndpointConfig
	if err := got.complete(); err != nil {
		t.Fatal(err)
	}
	got.bodyCodec, got.transport = nil, nil
	want := EndpointConfig{
		Network: "tcp", ListenIP: "0.0.0.0", LocalIP: "0.0.0.0", DefaultBodyCodec: "json",
		RedialInterval: 100 * time.Millisecond,
		OutboxSize:     4 << 20, WriteTimeout: 30 * time.Second, HandshakeTimeout: 10 * time.Second,
		MaxSessions: 100_000, MaxRequests: 10_000, MaxEndpointRequests: 100_000,
		MaxRequestBytes: 256 << 20, MaxEndpointRequestBytes: 1 << 30,
		FirstFrameTimeout: time.Minute, FrameTimeout: 30 * time.Second,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	again := got
	if err := again.complete(); err != nil {
		t.Fatal(err)
	}
	again.bodyCodec, again.transport = nil, nil
	if !reflect.DeepEqual(again, want) {
		t.Errorf("a second time changes it: %+v", again)
	}
}

func TestConfigurationMendsWhatCanOnlyMeanTheDefault(t *testing.T) {
	t.Parallel()
	cfg := EndpointConfig{
		LocalIP: "127.0.0.1", RedialInterval: -time.Second, OutboxSize: -1,
		DefaultSessionAge: -time.Second, DefaultContextAge: -time.Second, WriteTimeout: -time.Second,
	}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	if cfg.ListenIP != "127.0.0.1" {
		t.Errorf("ListenIP %q does not follow LocalIP", cfg.ListenIP)
	}
	if cfg.RedialInterval != 100*time.Millisecond || cfg.OutboxSize != socket.DefaultOutboxSize {
		t.Errorf("RedialInterval %v, OutboxSize %d", cfg.RedialInterval, cfg.OutboxSize)
	}
	if cfg.DefaultSessionAge != 0 || cfg.DefaultContextAge != 0 {
		t.Errorf("ages %v, %v", cfg.DefaultSessionAge, cfg.DefaultContextAge)
	}
	if cfg.WriteTimeout >= 0 {
		t.Errorf("WriteTimeout %v: negative must stay, it means none", cfg.WriteTimeout)
	}
}

func TestBadConfigurationIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  EndpointConfig
		text string
	}{
		"network":   {EndpointConfig{Network: "tcp7"}, `network "tcp7": Invalid network config, refer to the following: `},
		"codec":     {EndpointConfig{DefaultBodyCodec: "morse"}, "morse"},
		"listen IP": {EndpointConfig{ListenIP: "127.0.0.1:80"}, `"127.0.0.1:80"`},
		"local IP":  {EndpointConfig{LocalIP: "not an address"}, `"not an address"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := New(c.cfg)
			if err == nil || e != nil {
				t.Fatalf("endpoint %v, error %v", e, err)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q does not contain %q", err, c.text)
			}
		})
	}
	_, err := New(EndpointConfig{Network: "tcp7"})
	var unknown *netproto.UnknownNetworkError
	if !errors.As(err, &unknown) || unknown.Network != "tcp7" {
		t.Fatalf("%T is no UnknownNetworkError", err)
	}
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix"} {
		if !strings.Contains(err.Error(), network) {
			t.Errorf("%q does not offer %s", err, network)
		}
	}
}

func TestAddressesOfConfiguration(t *testing.T) {
	t.Parallel()
	sock := filepath.Join("run", "a.sock")
	for _, c := range []struct {
		name          string
		cfg           EndpointConfig
		listen, local string
	}{
		{"nothing set", EndpointConfig{}, "tcp 0.0.0.0:0", "tcp 0.0.0.0:0"},
		{"listen port", EndpointConfig{ListenPort: 9090}, "tcp 0.0.0.0:9090", "tcp 0.0.0.0:0"},
		{"local IP stands for both", EndpointConfig{LocalIP: "127.0.0.1", LocalPort: 1, ListenPort: 2}, "tcp 127.0.0.1:2", "tcp 127.0.0.1:1"},
		{"own listen IP", EndpointConfig{LocalIP: "127.0.0.1", ListenIP: "127.0.0.2"}, "tcp 127.0.0.2:0", "tcp 127.0.0.1:0"},
		{"IPv6", EndpointConfig{ListenIP: "::1", ListenPort: 3}, "tcp [::1]:3", "tcp 0.0.0.0:0"},
		{"IPv6 with a zone", EndpointConfig{ListenIP: "fe80::1%lo", ListenPort: 3}, "tcp [fe80::1%lo]:3", "tcp 0.0.0.0:0"},
		{"host name", EndpointConfig{Network: "tcp4", ListenIP: "localhost", ListenPort: 3}, "tcp 127.0.0.1:3", "tcp 0.0.0.0:0"},
		{"unix", EndpointConfig{Network: "unix", ListenIP: sock}, "unix " + sock, "unix "},
		{"unknown network", EndpointConfig{Network: "tcp7"}, "none", "none"},
	} {
		text := func(a net.Addr) string {
			if a == nil {
				return "none"
			}
			return a.Network() + " " + a.String()
		}
		if got := text(c.cfg.ListenAddr()); got != c.listen {
			t.Errorf("%s: ListenAddr %q, want %q", c.name, got, c.listen)
		}
		if got := text(c.cfg.LocalAddr()); got != c.local {
			t.Errorf("%s: LocalAddr %q, want %q", c.name, got, c.local)
		}
	}
}

func TestFreePortIsFoundAndShown(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	_, port, err := net.SplitHostPort(serve(t, e))
	if err != nil || port == "0" {
		t.Errorf("port %q, %v", port, err)
	}
}

func TestTakenPortIsAnErrorOfListenAndServe(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(serve(t, newPeer(t, EndpointConfig{})))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	err = newPeer(t, EndpointConfig{ListenPort: uint16(taken)}).ListenAndServe()
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "listen" {
		t.Errorf("error %v", err)
	}
}

func TestLocalPortIsDialledFrom(t *testing.T) {
	t.Parallel()
	addr := serve(t, newPeer(t, EndpointConfig{}))
	port := porttest.Free(t)
	sess := dial(t, newPeer(t, EndpointConfig{LocalPort: port}), addr)
	if got := sess.LocalAddr().(*net.TCPAddr).Port; got != int(port) {
		t.Errorf("dialled from port %d, want %d", got, port)
	}
}

func TestUnixSocketServes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("unix sockets on Windows have other rules for paths")
	}
	path := filepath.Join(t.TempDir(), "s")
	srv := newPeer(t, EndpointConfig{Network: "unix", ListenIP: path})
	srv.RouteCall(new(Abacus))
	serve(t, srv)
	cli := newPeer(t, EndpointConfig{Network: "unix"})
	var sum int
	stat := dial(t, cli, path).Call("/abacus/add", []int{1, 2}, &sum).Status()
	if stat != nil || sum != 3 {
		t.Errorf("%v, sum %d", stat, sum)
	}
}

func TestBodyCodecOfConfigurationIsUsed(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/codec", func(ctx CallCtx, _ *string) (string, *Status) {
		return string(rune(ctx.GetBodyCodec())), nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{DefaultBodyCodec: "plain"}), serve(t, srv))
	var got string
	if stat := sess.Call("/codec", "x", &got).Status(); stat != nil || got != "s" {
		t.Errorf("%v, codec %q", stat, got)
	}
}

// What follows belongs to the process, hence no Parallel.

func TestDefaultsOfTheProcess(t *testing.T) {
	if GetReadLimit() != message.DefaultMsgSizeLimit {
		t.Errorf("read limit %d", GetReadLimit())
	}
	if n, isDefault := SocketReadBuffer(); !isDefault {
		t.Errorf("read buffer %d", n)
	}
	if n, isDefault := SocketWriteBuffer(); !isDefault {
		t.Errorf("write buffer %d", n)
	}
	if got := DefaultBodyCodec().Name(); got != "json" {
		t.Errorf("codec %s", got)
	}
}

func TestReadLimitOfTheProcess(t *testing.T) {
	was := GetReadLimit()
	t.Cleanup(func() { SetReadLimit(was) })
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/len", func(_ CallCtx, arg *[]byte) (int, *Status) { return len(*arg), nil })
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})

	SetReadLimit(1000)
	if GetReadLimit() != 1000 {
		t.Errorf("limit %d", GetReadLimit())
	}
	sess := dial(t, cli, addr)
	var n int
	if stat := sess.Call("/len", make([]byte, 2000), &n).Status(); stat.Code() != CodeWriteFailed ||
		!errors.Is(stat.Cause(), message.ErrExceedMessageSizeLimit) {
		t.Errorf("a call over the limit: %v", stat)
	}
	if stat := sess.Call("/len", make([]byte, 500), &n).Status(); stat != nil || n != 500 {
		t.Errorf("a call below the limit: %v, %d", stat, n)
	}
	SetReadLimit(0)
	if GetReadLimit() != ^uint32(0) {
		t.Errorf("0 is a limit of %d", GetReadLimit())
	}
}

func TestSocketBuffersOfTheProcess(t *testing.T) {
	t.Cleanup(func() {
		SetSocketReadBuffer(-1)
		SetSocketWriteBuffer(-1)
		SetSocketKeepAlive(true)
		SetSocketNoDelay(true)
	})
	SetSocketReadBuffer(64 << 10)
	SetSocketWriteBuffer(32 << 10)
	SetSocketKeepAlive(true)
	SetSocketKeepAlivePeriod(time.Minute)
	SetSocketNoDelay(true)
	if n, isDefault := SocketReadBuffer(); n != 64<<10 || isDefault {
		t.Errorf("read buffer %d, %v", n, isDefault)
	}
	if n, isDefault := SocketWriteBuffer(); n != 32<<10 || isDefault {
		t.Errorf("write buffer %d, %v", n, isDefault)
	}
	srv := newPeer(t, EndpointConfig{})
	srv.RouteCall(new(Abacus))
	var sum int
	stat := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv)).
		Call("/abacus/add", []int{1, 2}, &sum).Status()
	if stat != nil || sum != 3 {
		t.Errorf("%v, sum %d", stat, sum)
	}
}

func TestDefaultBodyCodecOfTheProcess(t *testing.T) {
	t.Cleanup(func() {
		if err := SetDefaultBodyCodec("json"); err != nil {
			t.Error(err)
		}
	})
	if err := SetDefaultBodyCodec("morse"); err == nil || DefaultBodyCodec().Name() != "json" {
		t.Errorf("an unknown codec: %v, now %s", err, DefaultBodyCodec().Name())
	}
	if err := SetDefaultBodyCodec("xml"); err != nil {
		t.Fatal(err)
	}
	var cfg EndpointConfig
	if err := cfg.complete(); err != nil || cfg.DefaultBodyCodec != "xml" {
		t.Errorf("%v, codec %q", err, cfg.DefaultBodyCodec)
	}
}

func TestDefaultProtocolOfTheProcess(t *testing.T) {
	t.Cleanup(func() { SetDefaultProtoFunc(nil) })
	made := make(chan struct{}, 8)
	SetDefaultProtoFunc(func(rw proto.IOWithReadBuffer) proto.Proto {
		made <- struct{}{}
		return rawproto.RawProtoFunc(rw)
	})
	srv := newPeer(t, EndpointConfig{})
	dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	polltest.Receive(t, "the protocol of one side", made)
	polltest.Receive(t, "the protocol of the other", made)
	SetDefaultProtoFunc(nil)
	dial(t, newPeer(t, EndpointConfig{}), serve(t, newPeer(t, EndpointConfig{})))
	if len(made) != 0 {
		t.Error("nil does not restore raw")
	}
}

func TestEachLimitIsInTheDocumentationWithItsDefault(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var cfg EndpointConfig
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		name, said := v.Type().Field(i).Name, ""
		if !v.Type().Field(i).IsExported() {
			continue
		}
		switch value := v.Field(i).Interface().(type) {
		case time.Duration:
			said = fmt.Sprintf("%v s", value.Seconds())
			if value == 0 || name == "RedialInterval" || name == "SlowCometDuration" {
				continue // no limits by default, or none at all
			}
		case uint32, int, int64:
			n := v.Field(i).Convert(reflect.TypeFor[int64]()).Int()
			switch {
			case name == "MaxMessageSize":
				said = "4 MiB" // of SetReadLimit
			case name == "RedialTimes":
				continue
			case n%(1<<30) == 0:
				said = fmt.Sprintf("%d GiB", n>>30)
			case n%(1<<20) == 0:
				said = fmt.Sprintf("%d MiB", n>>20)
			default:
				said = fmt.Sprintf("%d,%03d", n/1000, n%1000)
			}
		default:
			continue
		}
		found := false
		for line := range strings.Lines(string(page)) {
			found = found || strings.Contains(line, "`"+name+"`") && strings.Contains(line, "| "+said)
		}
		if !found {
			t.Errorf("the table of limits does not say that %s is %s", name, said)
		}
	}
}
