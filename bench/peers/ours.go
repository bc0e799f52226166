package peers

import (
	"errors"
	"net"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/metrics/prometheus"
)

// echoMethod is the service method of ours.
const echoMethod = "/echo"

// oursDefault is DMicro with its default configuration and protobuf bodies.
func oursDefault() Peer {
	return variant{}.peer(DMicro, "DMicro: raw protocol, protobuf body, default configuration", Ours)
}

// variant is DMicro with something switched on. Its zero value is the default configuration with protobuf bodies.
type variant struct {
	plugins []drpc.Plugin
	proto   []socket.ProtoFunc
	// setup changes an endpoint before it is used.
	setup func(e drpc.Endpoint, server bool) error
	// settings returns what is sent along with a call, and a function to run after it.
	settings func() (settings []message.MsgSetting, done func())
	// json makes the bodies JSON.
	json bool
	// record makes Prometheus metrics record the endpoint, without a page.
	record bool
	// network is the transport; empty is tcp.
	network string
	// make makes an endpoint; nil is drpc.New.
	make func(server bool, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error)
}

// jsonBody is the body of variants that use JSON, whose bytes become base64.
type jsonBody struct {
	Value []byte `json:"value"`
}

func (v variant) peer(name, about string, kind Kind) Peer {
	return Peer{Name: name, About: about, Kind: kind, Serve: v.serve, Dial: v.dial}
}

// endpoint makes an endpoint; one that listens does so at listenIP.
func (v variant) endpoint(listenIP string, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
	cfg := drpc.EndpointConfig{Network: v.network, ListenIP: listenIP, DefaultBodyCodec: "protobuf"}
	if v.json {
		cfg.DefaultBodyCodec = "json"
	}
	create := v.make
	if create == nil {
		create = func(_ bool, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
			return drpc.New(cfg, plugins...)
		}
	}
	plugins = append(plugins, v.plugins...)
	if v.record {
		m := prometheus.NewPromMetrics(metrics.OptPort(-1), metrics.OptServiceName("bench"))
		m.Start() // it runs nothing, and lasts as long as the process
		plugins = append(plugins, m.Options().Plugins...)
	}
	server := listenIP != ""
	e, err := create(server, cfg, plugins...)
	if err != nil || v.setup == nil {
		return e, err
	}
	return e, v.setup(e, server)
}

func (v variant) serve() (Server, error) {
	bound := make(chan net.Addr, 1)
	listenIP, remove := "127.0.0.1", func() {}
	if strings.HasPrefix(v.network, "unix") {
		var err error
		if listenIP, remove, err = socketFile(); err != nil {
			return Server{}, err
		}
	}
	e, err := v.endpoint(listenIP, announcer(bound))
	if err != nil {
		return Server{}, err
	}
	if v.json {
		drpc.HandleCall(e, echoMethod, func(_ drpc.CallCtx, arg *jsonBody) (*jsonBody, *drpc.Status) { return arg, nil })
	} else {
		drpc.HandleCall(e, echoMethod, func(_ drpc.CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *drpc.Status) {
			return arg, nil
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- e.ListenAndServe(v.proto...) }()
	select {
	case err := <-ended:
		return Server{}, err
	case addr := <-bound:
		return Server{Addr: addr.String(), Stop: func() {
			_ = e.Close() // what a client left behind is of no interest
			<-ended
			remove()
		}}, nil
	}
}

// announcer is a plugin that tells where the endpoint listens.
type announcer chan<- net.Addr

func (announcer) Name() string                       { return "announcer" }
func (a announcer) AfterListen(bound net.Addr) error { a <- bound; return nil }

func (v variant) dial(addr string) (Client, error) {
	e, err := v.endpoint("")
	if err != nil {
		return nil, err
	}
	sess, stat := e.Dial(addr, v.proto...)
	if !stat.OK() {
		return nil, errors.Join(stat.Cause(), e.Close())
	}
	return connection{
		caller: func(body []byte) func() ([]byte, error) { return v.caller(sess, body) },
		close:  e.Close,
	}, nil
}

func (v variant) caller(sess drpc.Session, body []byte) func() ([]byte, error) {
	call := func(arg, reply any) error {
		return callError(sess.Call(echoMethod, arg, reply).Status())
	}
	if v.settings != nil {
		call = func(arg, reply any) error {
			settings, done := v.settings()
			defer done()
			return callError(sess.Call(echoMethod, arg, reply, settings...).Status())
		}
	}
	if v.json {
		arg := &jsonBody{Value: body}
		return func() ([]byte, error) {
			reply := new(jsonBody)
			err := call(arg, reply)
			return reply.Value, err
		}
	}
	arg := wrapperspb.Bytes(body)
	return func() ([]byte, error) {
		reply := new(wrapperspb.BytesValue)
		err := call(arg, reply)
		return reply.Value, err
	}
}

func callError(stat *drpc.Status) error {
	if stat.OK() {
		return nil
	}
	return errors.New(stat.String())
}
