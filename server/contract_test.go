package server_test

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/server"
)

// Programs written for DMicro 1.x compile against these names with these types.
var (
	_ func(name string) server.Option                                  = server.OptServiceName
	_ func(version string) server.Option                               = server.OptServiceVersion
	_ func(r registry.Registry) server.Option                          = server.OptRegistry
	_ func(plugin ...drpc.Plugin) server.Option                        = server.OptGlobalPlugin
	_ func(t bool) server.Option                                       = server.OptEnableHeartbeat
	_ func(tlsCertFile string, tlsKeyFile string) server.Option        = server.OptTlsFile
	_ func(config *tls.Config) server.Option                           = server.OptTlsConfig
	_ func(pf proto.ProtoFunc) server.Option                           = server.OptProtoFunc
	_ func(n time.Duration) server.Option                              = server.OptSessionAge
	_ func(n time.Duration) server.Option                              = server.OptContextAge
	_ func(n time.Duration) server.Option                              = server.OptSlowCometDuration
	_ func(c string) server.Option                                     = server.OptBodyCodec
	_ func(c bool) server.Option                                       = server.OptPrintDetail
	_ func(net string) server.Option                                   = server.OptNetwork
	_ func(addr string) server.Option                                  = server.OptListenAddress
	_ func(m metrics.Metrics) server.Option                            = server.OptMetrics
	_ func(serviceName string, opt ...server.Option) *server.RpcServer = server.NewRpcServer
	_ func(server.Options) drpc.EndpointConfig                         = server.Options.EndpointConfig
	_ func(*server.Options)                                            = server.Option(nil)

	_ interface {
		Options() server.Options
		Endpoint() drpc.Endpoint
		Router() *drpc.Router
		SubRoute(pathPrefix string, plugin ...drpc.Plugin) *drpc.SubRouter
		RouteCall(ctrlStruct interface{}, plugin ...drpc.Plugin) []string
		RouteCallFunc(callHandleFunc interface{}, plugin ...drpc.Plugin) string
		RoutePush(ctrlStruct interface{}, plugin ...drpc.Plugin) []string
		RoutePushFunc(pushHandleFunc interface{}, plugin ...drpc.Plugin) string
		SetUnknownCall(fn func(drpc.UnknownCallCtx) (interface{}, *drpc.Status), plugin ...drpc.Plugin)
		SetUnknownPush(fn func(drpc.UnknownPushCtx) *drpc.Status, plugin ...drpc.Plugin)
		Close()
		CountSession() int
		GetSession(sessionId string) (drpc.Session, bool)
		ListenAndServe(protoFunc ...proto.ProtoFunc) error
		ServeConn(conn net.Conn, protoFunc ...proto.ProtoFunc) (drpc.Session, *drpc.Status)
	} = (*server.RpcServer)(nil)

	_ = server.Options{
		Context: context.TODO(), ServiceName: "", ServiceVersion: "", Network: "", ListenAddress: "", TlsCertFile: "",
		TlsKeyFile: "", TLSConfig: nil, ProtoFunc: nil, SessionAge: 0, ContextAge: 0, SlowCometDuration: 0, BodyCodec: "",
		PrintDetail: false, Registry: nil, GlobalPlugin: nil, EnableHeartbeat: false, Metrics: nil,
	}
)
