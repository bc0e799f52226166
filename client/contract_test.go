package client_test

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

// Programs written for DMicro 1.x compile against these names with these types.
var (
	_ func(options ...client.Option) client.Options                    = client.NewOptions
	_ func(name string) client.Option                                  = client.OptServiceName
	_ func(version string) client.Option                               = client.OptServiceVersion
	_ func(r registry.Registry) client.Option                          = client.OptRegistry
	_ func(s selector.Selector) client.Option                          = client.OptSelector
	_ func(plugin ...drpc.Plugin) client.Option                        = client.OptGlobalPlugin
	_ func(t time.Duration) client.Option                              = client.OptHeartbeatTime
	_ func(tlsCertFile string, tlsKeyFile string) client.Option        = client.OptTlsFile
	_ func(config *tls.Config) client.Option                           = client.OptTlsConfig
	_ func(pf proto.ProtoFunc) client.Option                           = client.OptProtoFunc
	_ func(n int) client.Option                                        = client.OptRetryTimes
	_ func(n time.Duration) client.Option                              = client.OptSessionAge
	_ func(n time.Duration) client.Option                              = client.OptContextAge
	_ func(n time.Duration) client.Option                              = client.OptSlowCometDuration
	_ func(c string) client.Option                                     = client.OptBodyCodec
	_ func(c bool) client.Option                                       = client.OptPrintDetail
	_ func(net string) client.Option                                   = client.OptNetwork
	_ func(addr string) client.Option                                  = client.OptLocalIP
	_ func(service *registry.Service) client.Option                    = client.OptCustomService
	_ func(m metrics.Metrics) client.Option                            = client.OptMetrics
	_ func(serviceName string, opt ...client.Option) *client.RpcClient = client.NewRpcClient
	_ func(*client.Options) drpc.EndpointConfig                        = (*client.Options).EndpointConfig
	_ func(*client.Options)                                            = client.Option(nil)

	_ interface {
		Options() client.Options
		Call(serviceMethod string, args interface{}, result interface{}, setting ...message.MsgSetting) drpc.CallCmd
		Push(serviceMethod string, arg interface{}, setting ...message.MsgSetting) *drpc.Status
		AsyncCall(serviceMethod string, arg interface{}, result interface{}, callCmdChan chan<- drpc.CallCmd, setting ...message.MsgSetting) drpc.CallCmd
		SubRoute(pathPrefix string, plugin ...drpc.Plugin) *drpc.SubRouter
		RoutePush(ctrlStruct interface{}, plugin ...drpc.Plugin) []string
		RoutePushFunc(pushHandleFunc interface{}, plugin ...drpc.Plugin) string
		Endpoint() drpc.Endpoint
		Close()
	} = (*client.RpcClient)(nil)

	_ = client.Options{
		Context: context.TODO(), ServiceName: "", ServiceVersion: "", Network: "", LocalIP: "", TlsCertFile: "", TlsKeyFile: "",
		TLSConfig: nil, ProtoFunc: nil, SessionAge: 0, ContextAge: 0, DialTimeout: 0, SlowCometDuration: 0, BodyCodec: "",
		PrintDetail: false, HeartbeatTime: 0, RetryTimes: 0, GlobalPlugin: nil, Registry: nil, Selector: nil, Metrics: nil,
	}
)
