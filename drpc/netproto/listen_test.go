package netproto

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
)

// The functions that a program sets belong to the process, so this test is no parallel one and takes them back.
func TestListenersComeFromTheFunctionsOfTheProgram(t *testing.T) {
	errInherited := errors.New("inherited")
	SetListen(func(_ context.Context, network, address string) (net.Listener, error) {
		if network != "tcp" || address != "127.0.0.1:0" {
			t.Errorf("%s %s", network, address)
		}
		return nil, errInherited
	})
	defer listenFunc.Store(nil)
	SetListenPacket(func(context.Context, string, string) (net.PacketConn, error) { return nil, errInherited })
	defer listenPacketFunc.Store(nil)
	if _, err := (std{}).Listen(context.Background(), "tcp", "127.0.0.1:0"); !errors.Is(err, errInherited) {
		t.Errorf("Listen: %v", err)
	}
	if _, err := BindPacket(context.Background(), "udp", "127.0.0.1:0"); !errors.Is(err, errInherited) {
		t.Errorf("BindPacket: %v", err)
	}
	for name, again := range map[string]func(){
		"SetListen":       func() { SetListen(nil) },
		"SetListenPacket": func() { SetListenPacket(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s twice", name)
				}
			}()
			again()
		}()
	}
}

// encrypting is a transport that notes what it is asked for.
type encrypting struct {
	std
	listens, dials *tls.Config
}

func (e *encrypting) ListenTLS(_ context.Context, _, _ string, config func() *tls.Config) (net.Listener, error) {
	e.listens = config()
	return nil, nil
}

func (e *encrypting) DialTLS(_ context.Context, _, _, _ string, config *tls.Config) (net.Conn, error) {
	e.dials = config
	return nil, nil
}

func TestConfigurationReachesATransportThatEncrypts(t *testing.T) {
	t.Parallel()
	e, cfg := &encrypting{}, &tls.Config{MinVersion: tls.VersionTLS13}
	_, _ = Listen(context.Background(), e, "tcp", "127.0.0.1:0", func() *tls.Config { return cfg })
	_, _ = Dial(context.Background(), e, "tcp", "", "127.0.0.1:1", cfg)
	if e.listens != cfg || e.dials != cfg {
		t.Errorf("%v, %v", e.listens, e.dials)
	}
	ln, err := Listen(context.Background(), std{}, "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	conn, err := Dial(context.Background(), std{}, "tcp", "", ln.Addr().String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if IsSecure(conn) || !IsSecure(tls.Client(conn, cfg)) {
		t.Error("what is encrypted is not known")
	}
}
