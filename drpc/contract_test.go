package drpc_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gogf/gf/v2/container/gmap"
	"github.com/gogf/gf/v2/frame/g"
	"github.com/gogf/gf/v2/os/glog"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/logger"
)

// Programs written for DMicro 1.x compile against these names with these types. Each line below fails to compile when
// a name is gone or its signature has changed.

// Functions.
var (
	_ func() socket.ProtoFunc                                                         = drpc.DefaultProtoFunc
	_ func(protoFunc socket.ProtoFunc)                                                = drpc.SetDefaultProtoFunc
	_ func() uint32                                                                   = drpc.GetReadLimit
	_ func(maxMessageSize uint32)                                                     = drpc.SetReadLimit
	_ func(keepalive bool)                                                            = drpc.SetSocketKeepAlive
	_ func(d time.Duration)                                                           = drpc.SetSocketKeepAlivePeriod
	_ func() (bytes int, isDefault bool)                                              = drpc.SocketReadBuffer
	_ func(bytes int)                                                                 = drpc.SetSocketReadBuffer
	_ func() (bytes int, isDefault bool)                                              = drpc.SocketWriteBuffer
	_ func(bytes int)                                                                 = drpc.SetSocketWriteBuffer
	_ func(_noDelay bool)                                                             = drpc.SetSocketNoDelay
	_ func(typ byte) string                                                           = drpc.TypeText
	_ func(settings ...message.MsgSetting) message.Message                            = drpc.GetMessage
	_ func(m message.Message)                                                         = drpc.PutMessage
	_ func() message.MsgSetting                                                       = drpc.WithNothing
	_ func(stat *status.Status) message.MsgSetting                                    = drpc.WithStatus
	_ func(ctx context.Context) message.MsgSetting                                    = drpc.WithContext
	_ func(serviceMethod string) message.MsgSetting                                   = drpc.WithServiceMethod
	_ func(key string, value string) message.MsgSetting                               = drpc.WithSetMeta
	_ func(metas map[string]any) message.MsgSetting                                   = drpc.WithSetMetas
	_ func(key string) message.MsgSetting                                             = drpc.WithDelMeta
	_ func(bodyCodecName string) message.MsgSetting                                   = drpc.WithBodyCodec
	_ func(body any) message.MsgSetting                                               = drpc.WithBody
	_ func(newBodyFunc message.NewBodyFunc) message.MsgSetting                        = drpc.WithNewBody
	_ func(filterID ...byte) message.MsgSetting                                       = drpc.WithTFilterPipe
	_ func(meta *gmap.Map) (byte, bool)                                               = drpc.GetAcceptBodyCodec
	_ func(code int32, msg string, cause ...any) *status.Status                       = drpc.NewStatus
	_ func() codec.Codec                                                              = drpc.DefaultBodyCodec
	_ func(codecName string) error                                                    = drpc.SetDefaultBodyCodec
	_ func(cfg drpc.EndpointConfig, globalLeftPlugin ...drpc.Plugin) drpc.Endpoint    = drpc.NewEndpoint
	_ func(serviceMethod string, arg any, result any, stat *drpc.Status) drpc.CallCmd = drpc.NewFakeCallCmd
	_ func(l *glog.Logger)                                                            = drpc.SetLogger
	_ func() *glog.Logger                                                             = drpc.GetLogger
	_ func(ip string) message.MsgSetting                                              = drpc.WithRealIP
	_ func(bodyCodec byte) message.MsgSetting                                         = drpc.WithAcceptBodyCodec
	_ func(prefix string, name string) string                                         = drpc.HTTPServiceMethodMapper
	_ func(prefix string, name string) string                                         = drpc.RPCServiceMethodMapper
	_ func(mapper drpc.ServiceMethodMapper)                                           = drpc.SetServiceMethodMapper
	_ func(code int32, cause any, tagStack bool) *drpc.Status                         = drpc.NewStatusByCodeText
	_ func(statCode int32) string                                                     = drpc.CodeText
	_ func(stat *drpc.Status) bool                                                    = drpc.IsConnError

	_ func(meta *gmap.Map) (byte, bool)                        = message.GetAcceptBodyCodec
	_ func(settings ...message.MsgSetting) message.Message     = message.GetMessage
	_ func(m message.Message)                                  = message.PutMessage
	_ func(settings ...message.MsgSetting) message.Message     = message.NewMessage
	_ func(typ byte) string                                    = message.TypeText
	_ func() message.MsgSetting                                = message.WithNothing
	_ func(ctx context.Context) message.MsgSetting             = message.WithContext
	_ func(serviceMethod string) message.MsgSetting            = message.WithServiceMethod
	_ func(stat *status.Status) message.MsgSetting             = message.WithStatus
	_ func(key string, value string) message.MsgSetting        = message.WithSetMeta
	_ func(metas map[string]any) message.MsgSetting            = message.WithSetMetas
	_ func(key string) message.MsgSetting                      = message.WithDelMeta
	_ func(bodyCodecName string) message.MsgSetting            = message.WithBodyCodec
	_ func(body any) message.MsgSetting                        = message.WithBody
	_ func(newBodyFunc message.NewBodyFunc) message.MsgSetting = message.WithNewBody
	_ func(mType byte) message.MsgSetting                      = message.WithMType
	_ func(filterID ...byte) message.MsgSetting                = message.WithTFilterPipe
	_ func() uint32                                            = message.MsgSizeLimit
	_ func(maxMessageSize uint32)                              = message.SetMsgSizeLimit

	_ func(rw proto.IOWithReadBuffer) proto.Proto = rawproto.RawProtoFunc
	_ func() proto.ProtoFunc                      = rawproto.NewRawProtoFunc

	_ func(codecID byte) (codec.Codec, error)      = codec.Get
	_ func(codecName string) (codec.Codec, error)  = codec.GetByName
	_ func(codecID byte, v any) ([]byte, error)    = codec.Marshal
	_ func(codecID byte, data []byte, v any) error = codec.Unmarshal
	_ func(codec codec.Codec)                      = codec.Reg

	_ func() socket.ProtoFunc                                       = socket.DefaultProtoFunc
	_ func(protoFunc socket.ProtoFunc)                              = socket.SetDefaultProtoFunc
	_ func(conn net.Conn)                                           = socket.TryOptimize
	_ func(keepalive bool)                                          = socket.SetKeepAlive
	_ func(d time.Duration)                                         = socket.SetKeepAlivePeriod
	_ func() (bytes int, isDefault bool)                            = socket.ReadBuffer
	_ func(bytes int)                                               = socket.SetReadBuffer
	_ func() (bytes int, isDefault bool)                            = socket.WriteBuffer
	_ func(bytes int)                                               = socket.SetWriteBuffer
	_ func(_noDelay bool)                                           = socket.SetNoDelay
	_ func(c net.Conn, protoFunc ...socket.ProtoFunc) socket.Socket = socket.NewSocket

	_ func(skip int) status.StackTrace                          = status.GetStackTrace
	_ func() status.StackTrace                                  = status.PanicStackTrace
	_ func(code int32, msg string, cause ...any) *status.Status = status.New
	_ func(code int32, msg string, cause ...any) *status.Status = status.NewWithStack

	_ func(key []byte)                                  = tfilter.RegAES
	_ func(level int)                                   = tfilter.RegGzip
	_ func()                                            = tfilter.RegMD5
	_ func(tFilter tfilter.TransferFilter)              = tfilter.Reg
	_ func(id byte) (tfilter.TransferFilter, error)     = tfilter.Get
	_ func(name string) (tfilter.TransferFilter, error) = tfilter.GetByName
	_ func() *tfilter.PipeTFilter                       = tfilter.NewPipeTFilter

	_ func() *glog.Logger                                = logger.DefaultLogger
	_ func(setting g.Map) error                          = logger.SetConfigWithMap
	_ func(level int)                                    = logger.SetLevel
	_ func() int                                         = logger.GetLevel
	_ func(levelStr string) error                        = logger.SetLevelStr
	_ func(ctx context.Context, v ...any)                = logger.Print
	_ func(ctx context.Context, format string, v ...any) = logger.Printf
	_ func(ctx context.Context, v ...any)                = logger.Println
	_ func(ctx context.Context, v ...any)                = logger.Fatal
	_ func(ctx context.Context, format string, v ...any) = logger.Fatalf
	_ func(ctx context.Context, v ...any)                = logger.Panic
	_ func(ctx context.Context, format string, v ...any) = logger.Panicf
	_ func(ctx context.Context, v ...any)                = logger.Info
	_ func(ctx context.Context, format string, v ...any) = logger.Infof
	_ func(ctx context.Context, v ...any)                = logger.Debug
	_ func(ctx context.Context, format string, v ...any) = logger.Debugf
	_ func(ctx context.Context, v ...any)                = logger.Notice
	_ func(ctx context.Context, format string, v ...any) = logger.Noticef
	_ func(ctx context.Context, v ...any)                = logger.Warning
	_ func(ctx context.Context, format string, v ...any) = logger.Warningf
	_ func(ctx context.Context, v ...any)                = logger.Error
	_ func(ctx context.Context, format string, v ...any) = logger.Errorf
	_ func(ctx context.Context, v ...any)                = logger.Critical
	_ func(ctx context.Context, format string, v ...any) = logger.Criticalf
	_ func(debug bool)                                   = logger.SetDebug
	_ func(enabled bool)                                 = logger.SetStdoutPrint
	_ func() bool                                        = logger.IsDebug
	_ func(name string, w logger.Handler)                = logger.AddHandler
	_ func(name string)                                  = logger.RemoveHandler
)

// Methods of structs.
var (
	_ func(*drpc.EndpointConfig) net.Addr                                                             = (*drpc.EndpointConfig).ListenAddr
	_ func(*drpc.EndpointConfig) net.Addr                                                             = (*drpc.EndpointConfig).LocalAddr
	_ func(*drpc.Handler) string                                                                      = (*drpc.Handler).RouterTypeName
	_ func(*drpc.Handler) reflect.Type                                                                = (*drpc.Handler).ReplyType
	_ func(*drpc.Handler) string                                                                      = (*drpc.Handler).Name
	_ func(*drpc.Handler) reflect.Value                                                               = (*drpc.Handler).NewArgValue
	_ func(*drpc.Handler) reflect.Type                                                                = (*drpc.Handler).ArgElemType
	_ func(*drpc.Handler) bool                                                                        = (*drpc.Handler).IsCall
	_ func(*drpc.Handler) bool                                                                        = (*drpc.Handler).IsPush
	_ func(*drpc.Handler) bool                                                                        = (*drpc.Handler).IsUnknown
	_ func(_ *drpc.PluginContainer, plugins ...drpc.Plugin)                                           = (*drpc.PluginContainer).AppendLeft
	_ func(_ *drpc.PluginContainer, plugins ...drpc.Plugin)                                           = (*drpc.PluginContainer).AppendRight
	_ func(_ *drpc.PluginContainer, pluginName string) error                                          = (*drpc.PluginContainer).Remove
	_ func(_ *drpc.PluginContainer, pluginName string) drpc.Plugin                                    = (*drpc.PluginContainer).GetByName
	_ func(*drpc.PluginContainer) []drpc.Plugin                                                       = (*drpc.PluginContainer).GetAll
	_ func(_ *drpc.Router, prefix string, plugin ...drpc.Plugin) *drpc.SubRouter                      = (*drpc.Router).SubRoute
	_ func(_ *drpc.Router, callCtrlStruct any, plugin ...drpc.Plugin) []string                        = (*drpc.Router).RouteCall
	_ func(_ *drpc.Router, callHandleFunc any, plugin ...drpc.Plugin) string                          = (*drpc.Router).RouteCallFunc
	_ func(_ *drpc.Router, pushCtrlStruct any, plugin ...drpc.Plugin) []string                        = (*drpc.Router).RoutePush
	_ func(_ *drpc.Router, pushHandleFunc any, plugin ...drpc.Plugin) string                          = (*drpc.Router).RoutePushFunc
	_ func(_ *drpc.Router, fn func(drpc.UnknownCallCtx) (any, *status.Status), plugin ...drpc.Plugin) = (*drpc.Router).SetUnknownCall
	_ func(_ *drpc.Router, fn func(drpc.UnknownPushCtx) *status.Status, plugin ...drpc.Plugin)        = (*drpc.Router).SetUnknownPush
	_ func(*drpc.SubRouter) *drpc.Router                                                              = (*drpc.SubRouter).Root
	_ func(*drpc.SubRouter) *drpc.Router                                                              = (*drpc.SubRouter).ToRouter
	_ func(_ *drpc.SubRouter, prefix string, plugin ...drpc.Plugin) *drpc.SubRouter                   = (*drpc.SubRouter).SubRoute
	_ func(_ *drpc.SubRouter, callCtrlStruct any, plugin ...drpc.Plugin) []string                     = (*drpc.SubRouter).RouteCall
	_ func(_ *drpc.SubRouter, callHandleFunc any, plugin ...drpc.Plugin) string                       = (*drpc.SubRouter).RouteCallFunc
	_ func(_ *drpc.SubRouter, pushCtrlStruct any, plugin ...drpc.Plugin) []string                     = (*drpc.SubRouter).RoutePush
	_ func(_ *drpc.SubRouter, pushHandleFunc any, plugin ...drpc.Plugin) string                       = (*drpc.SubRouter).RoutePushFunc
	_ func(codec.FormCodec) string                                                                    = (codec.FormCodec).Name
	_ func(codec.FormCodec) byte                                                                      = (codec.FormCodec).ID
	_ func(_ codec.FormCodec, v any) ([]byte, error)                                                  = (codec.FormCodec).Marshal
	_ func(_ codec.FormCodec, data []byte, v any) error                                               = (codec.FormCodec).Unmarshal
	_ func(codec.JSONCodec) byte                                                                      = (codec.JSONCodec).ID
	_ func(codec.JSONCodec) string                                                                    = (codec.JSONCodec).Name
	_ func(_ codec.JSONCodec, v any) ([]byte, error)                                                  = (codec.JSONCodec).Marshal
	_ func(_ codec.JSONCodec, data []byte, v any) error                                               = (codec.JSONCodec).Unmarshal
	_ func(codec.PlainCodec) string                                                                   = (codec.PlainCodec).Name
	_ func(codec.PlainCodec) byte                                                                     = (codec.PlainCodec).ID
	_ func(_ codec.PlainCodec, v any) ([]byte, error)                                                 = (codec.PlainCodec).Marshal
	_ func(_ codec.PlainCodec, data []byte, v any) error                                              = (codec.PlainCodec).Unmarshal
	_ func(codec.ProtoCodec) string                                                                   = (codec.ProtoCodec).Name
	_ func(codec.ProtoCodec) byte                                                                     = (codec.ProtoCodec).ID
	_ func(_ codec.ProtoCodec, v any) ([]byte, error)                                                 = (codec.ProtoCodec).Marshal
	_ func(_ codec.ProtoCodec, data []byte, v any) error                                              = (codec.ProtoCodec).Unmarshal
	_ func(codec.XMLCodec) string                                                                     = (codec.XMLCodec).Name
	_ func(codec.XMLCodec) byte                                                                       = (codec.XMLCodec).ID
	_ func(_ codec.XMLCodec, v any) ([]byte, error)                                                   = (codec.XMLCodec).Marshal
	_ func(_ codec.XMLCodec, data []byte, v any) error                                                = (codec.XMLCodec).Unmarshal
	_ func(_ status.Frame, s fmt.State, verb rune)                                                    = (status.Frame).Format
	_ func(status.Frame) ([]byte, error)                                                              = (status.Frame).MarshalText
	_ func(_ status.StackTrace, s fmt.State, verb rune)                                               = (status.StackTrace).Format
	_ func(_ *status.Status, code int32) *status.Status                                               = (*status.Status).SetCode
	_ func(_ *status.Status, msg string) *status.Status                                               = (*status.Status).SetMsg
	_ func(_ *status.Status, cause any) *status.Status                                                = (*status.Status).SetCases
	_ func(*status.Status) int32                                                                      = (*status.Status).Code
	_ func(*status.Status) string                                                                     = (*status.Status).Msg
	_ func(*status.Status) error                                                                      = (*status.Status).Cause
	_ func(*status.Status)                                                                            = (*status.Status).Clear
	_ func(*status.Status) bool                                                                       = (*status.Status).OK
	_ func(*status.Status) bool                                                                       = (*status.Status).UnknownError
	_ func(_ *status.Status, skip ...int) *status.Status                                              = (*status.Status).TagStack
	_ func(*status.Status) status.StackTrace                                                          = (*status.Status).StackTrace
	_ func(*status.Status) string                                                                     = (*status.Status).String
	_ func(_ *status.Status, state fmt.State, verb rune)                                              = (*status.Status).Format
	_ func(*status.Status) ([]byte, error)                                                            = (*status.Status).MarshalJSON
	_ func(_ *status.Status, b []byte) error                                                          = (*status.Status).UnmarshalJSON
	_ func(_ *status.Status, newCause any, newStackSkip ...int) *status.Status                        = (*status.Status).Copy
	_ func(*tfilter.PipeTFilter)                                                                      = (*tfilter.PipeTFilter).Reset
	_ func(_ *tfilter.PipeTFilter, filterID ...byte) error                                            = (*tfilter.PipeTFilter).Append
	_ func(_ *tfilter.PipeTFilter, src *tfilter.PipeTFilter)                                          = (*tfilter.PipeTFilter).AppendFrom
	_ func(*tfilter.PipeTFilter) int                                                                  = (*tfilter.PipeTFilter).Len
	_ func(*tfilter.PipeTFilter) []byte                                                               = (*tfilter.PipeTFilter).IDs
	_ func(*tfilter.PipeTFilter) []string                                                             = (*tfilter.PipeTFilter).Names
	_ func(_ *tfilter.PipeTFilter, callback func(idx int, filter tfilter.TransferFilter) bool)        = (*tfilter.PipeTFilter).Iterator
	_ func(_ *tfilter.PipeTFilter, data []byte) ([]byte, error)                                       = (*tfilter.PipeTFilter).OnPack
	_ func(_ *tfilter.PipeTFilter, data []byte) ([]byte, error)                                       = (*tfilter.PipeTFilter).OnUnpack
)

// Interfaces that the framework implements and programs call.
var (
	_ interface {
		TraceEndpoint() (e drpc.Endpoint, found bool)
		TraceSession() (sess drpc.Session, found bool)
		Context() context.Context
		Output() message.Message
		StatusOK() bool
		Status() *drpc.Status
		Done() <-chan struct{}
		Reply() (any, *drpc.Status)
		InputBodyCodec() byte
		InputMeta() *gmap.Map
		CostTime() time.Duration
	} = drpc.CallCmd(nil)
	_ interface {
		Endpoint() drpc.Endpoint
		Session() drpc.CtxSession
		IP() string
		RealIP() string
		Swap() *gmap.Map
		Context() context.Context
	} = drpc.EarlyCtx(nil)
	_ interface {
		drpc.EarlyCtx
		Output() message.Message
		StatusOK() bool
		Status() *status.Status
	} = drpc.WriteCtx(nil)
	_ interface {
		drpc.EarlyCtx
		CopyMeta() *gmap.Map
		CostTime() time.Duration
		PeekMeta(key string) any
		ResetServiceMethod(string)
		Seq() int32
		ServiceMethod() string
		VisitMeta(f func(key any, value any) bool)
		Input() message.Message
		StatusOK() bool
		Status() *status.Status
	} = drpc.ReadCtx(nil)
	_ interface {
		drpc.EarlyCtx
		CopyMeta() *gmap.Map
		CostTime() time.Duration
		PeekMeta(key string) any
		ResetServiceMethod(string)
		Seq() int32
		ServiceMethod() string
		VisitMeta(f func(key any, value any) bool)
		GetBodyCodec() byte
	} = drpc.PushCtx(nil)
	_ interface {
		drpc.EarlyCtx
		CopyMeta() *gmap.Map
		CostTime() time.Duration
		PeekMeta(key string) any
		ResetServiceMethod(string)
		Seq() int32
		ServiceMethod() string
		VisitMeta(f func(key any, value any) bool)
		Input() message.Message
		GetBodyCodec() byte
		Output() message.Message
		ReplyBodyCodec() byte
		SetBodyCodec(byte)
		SetMeta(key string, value string)
		AddTFilterId(filterID ...byte)
	} = drpc.CallCtx(nil)
	_ interface {
		drpc.EarlyCtx
		CopyMeta() *gmap.Map
		CostTime() time.Duration
		PeekMeta(key string) any
		ResetServiceMethod(string)
		Seq() int32
		ServiceMethod() string
		VisitMeta(f func(key any, value any) bool)
		GetBodyCodec() byte
		InputBodyBytes() []byte
		BuildBody(v any) (bodyCodec byte, err error)
	} = drpc.UnknownPushCtx(nil)
	_ interface {
		drpc.EarlyCtx
		CopyMeta() *gmap.Map
		CostTime() time.Duration
		PeekMeta(key string) any
		ResetServiceMethod(string)
		Seq() int32
		ServiceMethod() string
		VisitMeta(f func(key any, value any) bool)
		GetBodyCodec() byte
		InputBodyBytes() []byte
		BuildBody(v any) (bodyCodec byte, err error)
		SetBodyCodec(byte)
		SetMeta(key string, value string)
		AddTFilterId(filterID ...byte)
	} = drpc.UnknownCallCtx(nil)
	_ interface {
		Close() (err error)
		CountSession() int
		GetSession(sessionID string) (drpc.Session, bool)
		RangeSession(fn func(sess drpc.Session) bool)
		SetTLSConfig(tlsConfig *tls.Config)
		SetTLSConfigFromFile(tlsCertFile string, tlsKeyFile string, insecureSkipVerifyForClient ...bool) error
		TLSConfig() *tls.Config
		PluginContainer() *drpc.PluginContainer
	} = drpc.BaseEndpoint(nil)
	_ interface {
		drpc.BaseEndpoint
		Router() *drpc.Router
		SubRoute(pathPrefix string, plugin ...drpc.Plugin) *drpc.SubRouter
		RouteCall(ctrlStruct any, plugin ...drpc.Plugin) []string
		RouteCallFunc(callHandleFunc any, plugin ...drpc.Plugin) string
		RoutePush(ctrlStruct any, plugin ...drpc.Plugin) []string
		RoutePushFunc(pushHandleFunc any, plugin ...drpc.Plugin) string
		SetUnknownCall(fn func(drpc.UnknownCallCtx) (any, *status.Status), plugin ...drpc.Plugin)
		SetUnknownPush(fn func(drpc.UnknownPushCtx) *status.Status, plugin ...drpc.Plugin)
	} = drpc.EarlyEndpoint(nil)
	_ interface {
		drpc.EarlyEndpoint
		ListenAndServe(protoFunc ...socket.ProtoFunc) error
		Dial(addr string, protoFunc ...socket.ProtoFunc) (drpc.Session, *status.Status)
		ServeConn(conn net.Conn, protoFunc ...socket.ProtoFunc) (drpc.Session, *status.Status)
	} = drpc.Endpoint(nil)
	_ interface {
		Name() string
	} = drpc.Plugin(nil)
	_ interface {
		drpc.Plugin
		BeforeNewEndpoint(*drpc.EndpointConfig, *drpc.PluginContainer) error
	} = drpc.BeforeNewEndpointPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterNewEndpoint(drpc.EarlyEndpoint) error
	} = drpc.AfterNewEndpointPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeCloseEndpoint(drpc.Endpoint) error
	} = drpc.BeforeCloseEndpointPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterCloseEndpoint(drpc.Endpoint, error) error
	} = drpc.AfterCloseEndpointPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterRegRouter(*drpc.Handler) error
	} = drpc.AfterRegRouterPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterListen(net.Addr) error
	} = drpc.AfterListenPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeDial(addr string, isRedial bool) *drpc.Status
	} = drpc.BeforeDialPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterDial(sess drpc.EarlySession, isRedial bool) *drpc.Status
	} = drpc.AfterDialPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterDialFail(sess drpc.EarlySession, err error, isRedial bool) *drpc.Status
	} = drpc.AfterDialFailPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterAccept(drpc.EarlySession) *drpc.Status
	} = drpc.AfterAcceptPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeWriteCall(drpc.WriteCtx) *drpc.Status
	} = drpc.BeforeWriteCallPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterWriteCall(drpc.WriteCtx) *drpc.Status
	} = drpc.AfterWriteCallPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeWriteReply(drpc.WriteCtx) *drpc.Status
	} = drpc.BeforeWriteReplyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterWriteReply(drpc.WriteCtx) *drpc.Status
	} = drpc.AfterWriteReplyPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeWritePush(drpc.WriteCtx) *drpc.Status
	} = drpc.BeforeWritePushPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterWritePush(drpc.WriteCtx) *drpc.Status
	} = drpc.AfterWritePushPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeReadHeader(drpc.EarlyCtx) error
	} = drpc.BeforeReadHeaderPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterReadCallHeader(drpc.ReadCtx) *drpc.Status
	} = drpc.AfterReadCallHeaderPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeReadCallBody(drpc.ReadCtx) *drpc.Status
	} = drpc.BeforeReadCallBodyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterReadCallBody(drpc.ReadCtx) *drpc.Status
	} = drpc.AfterReadCallBodyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterReadPushHeader(drpc.ReadCtx) *drpc.Status
	} = drpc.AfterReadPushHeaderPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeReadPushBody(drpc.ReadCtx) *drpc.Status
	} = drpc.BeforeReadPushBodyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterReadPushBody(drpc.ReadCtx) *drpc.Status
	} = drpc.AfterReadPushBodyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterReadReplyHeader(drpc.ReadCtx) *drpc.Status
	} = drpc.AfterReadReplyHeaderPlugin(nil)
	_ interface {
		drpc.Plugin
		BeforeReadReplyBody(drpc.ReadCtx) *drpc.Status
	} = drpc.BeforeReadReplyBodyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterReadReplyBody(drpc.ReadCtx) *drpc.Status
	} = drpc.AfterReadReplyBodyPlugin(nil)
	_ interface {
		drpc.Plugin
		AfterDisconnect(drpc.BaseSession) *drpc.Status
	} = drpc.AfterDisconnectPlugin(nil)
	_ interface {
		Endpoint() drpc.Endpoint
		LocalAddr() net.Addr
		RemoteAddr() net.Addr
		Swap() *gmap.Map
		SetID(newID string)
		ControlFD(f func(fd uintptr)) error
		ModifySocket(fn func(conn net.Conn) (modifiedConn net.Conn, newProtoFunc proto.ProtoFunc))
		GetProtoFunc() proto.ProtoFunc
		EarlySend(mType byte, serviceMethod string, body any, stat *status.Status, setting ...message.MsgSetting) (opStat *status.Status)
		EarlyReceive(newArgs message.NewBodyFunc, ctx ...context.Context) (input message.Message)
		EarlyCall(serviceMethod string, args any, reply any, callSetting ...message.MsgSetting) (opStat *status.Status)
		EarlyReply(req message.Message, body any, stat *status.Status, setting ...message.MsgSetting) (opStat *status.Status)
		RawPush(serviceMethod string, args any, setting ...message.MsgSetting) (opStat *status.Status)
		SessionAge() time.Duration
		ContextAge() time.Duration
		SetSessionAge(duration time.Duration)
		SetContextAge(duration time.Duration)
	} = drpc.EarlySession(nil)
	_ interface {
		Endpoint() drpc.Endpoint
		ID() string
		LocalAddr() net.Addr
		RemoteAddr() net.Addr
		Swap() *gmap.Map
	} = drpc.BaseSession(nil)
	_ interface {
		ID() string
		LocalAddr() net.Addr
		RemoteAddr() net.Addr
		Swap() *gmap.Map
		CloseNotify() <-chan struct{}
		Health() bool
		AsyncCall(serviceMethod string, args any, result any, callCmdChan chan<- drpc.CallCmd, setting ...message.MsgSetting) drpc.CallCmd
		Call(serviceMethod string, args any, result any, setting ...message.MsgSetting) drpc.CallCmd
		Push(serviceMethod string, args any, setting ...message.MsgSetting) *status.Status
		SessionAge() time.Duration
		ContextAge() time.Duration
	} = drpc.CtxSession(nil)
	_ interface {
		drpc.CtxSession
		Endpoint() drpc.Endpoint
		SetID(newID string)
		Close() error
	} = drpc.Session(nil)
	_ interface {
		Seq() int32
		SetSeq(int32)
		MType() byte
		SetMType(byte)
		ServiceMethod() string
		SetServiceMethod(string)
		StatusOK() bool
		Status(autoInit ...bool) *status.Status
		SetStatus(*status.Status)
		Meta() *gmap.Map
	} = message.Header(nil)
	_ interface {
		BodyCodec() byte
		SetBodyCodec(bodyCodec byte)
		Body() any
		SetBody(body any)
		SetNewBody(message.NewBodyFunc)
		MarshalBody() ([]byte, error)
		UnmarshalBody(bodyBytes []byte) error
	} = message.Body(nil)
	_ interface {
		message.Header
		message.Body
		Reset(settings ...message.MsgSetting) message.Message
		PipeTFilter() *tfilter.PipeTFilter
		Size() uint32
		SetSize(size uint32) error
		Context() context.Context
		String() string
		AsHeader() message.Header
		AsBody() message.Body
	} = message.Message(nil)
	_ interface {
		message.Header
		message.Body
		Reset(settings ...message.MsgSetting) message.Message
		PipeTFilter() *tfilter.PipeTFilter
		Size() uint32
		SetSize(size uint32) error
		Context() context.Context
		String() string
		AsHeader() message.Header
		AsBody() message.Body
	} = proto.Message(nil)
	_ interface {
		Version() (byte, string)
		Pack(proto.Message) error
		Unpack(proto.Message) error
	} = proto.Proto(nil)
	_ interface {
		io.ReadWriter
	} = proto.IOWithReadBuffer(nil)
	_ interface {
		ID() byte
		Name() string
		Marshal(any) ([]byte, error)
		Unmarshal([]byte, any) error
	} = codec.Codec(nil)
	_ interface {
		ControlFD(f func(fd uintptr)) error
		LocalAddr() net.Addr
		RemoteAddr() net.Addr
		SetDeadline(t time.Time) error
		SetReadDeadline(t time.Time) error
		SetWriteDeadline(t time.Time) error
		WriteMessage(message socket.Message) error
		ReadMessage(message socket.Message) error
		Read(b []byte) (n int, err error)
		Write(b []byte) (n int, err error)
		Close() error
		Swap(newSwap ...*gmap.Map) *gmap.Map
		SwapLen() int
		ID() string
		SetID(string)
		Reset(netConn net.Conn, protoFunc ...socket.ProtoFunc)
		Raw() net.Conn
	} = socket.Socket(nil)
	_ interface {
		ID() byte
		Name() string
		OnPack([]byte) ([]byte, error)
		OnUnpack([]byte) ([]byte, error)
	} = tfilter.TransferFilter(nil)
	_ interface {
		Log(level int, v ...any)
		LogF(level int, format string, v ...any)
	} = logger.Handler(nil)
)

// Types that are only named.
var (
	_ *drpc.Status             = (*status.Status)(nil)
	_ message.MsgSetting       = func(message.Message) {}
	_ message.NewBodyFunc      = func(message.Header) any { return nil }
	_ proto.ProtoFunc          = rawproto.RawProtoFunc
	_ socket.ProtoFunc         = proto.ProtoFunc(nil)
	_ drpc.ServiceMethodMapper = func(prefix, name string) (serviceMethod string) { return prefix + name }
	_ proto.Message            = message.Message(nil)
	_ message.Message          = proto.Message(nil)
	_ codec.Codec              = codec.JSONCodec{}
	_ codec.Codec              = codec.PlainCodec{}
	_ codec.Codec              = codec.ProtoCodec{}
	_ codec.Codec              = codec.FormCodec{}
	_ codec.Codec              = codec.XMLCodec{}
	_ error                    = drpc.ErrListenClosed
	_ error                    = message.ErrExceedMessageSizeLimit
	_ error                    = socket.ErrProactivelyCloseSocket
	_ error                    = tfilter.ErrTransferFilterTooLong
	_ string                   = drpc.MetaRealIP + drpc.MetaAcceptBodyCodec
)

// Ids of codecs and filters are used as bytes and as runes.
var (
	_ = [...]byte{codec.JsonId, codec.PlainId, codec.ProtobufId, codec.FormId, codec.XmlId, tfilter.AesId, tfilter.GzipId, tfilter.Md5Id}
	_ = [...]rune{codec.JsonId, codec.PlainId, codec.ProtobufId, codec.FormId, codec.XmlId, tfilter.AesId, tfilter.GzipId, tfilter.Md5Id}
)

func TestConstantsHaveTheirValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"drpc.CodeUnknownError", drpc.CodeUnknownError, int32(-1)},
		{"drpc.CodeOK", drpc.CodeOK, int32(0)},
		{"drpc.CodeNoError", drpc.CodeNoError, int32(0)},
		{"drpc.CodeInvalidOp", drpc.CodeInvalidOp, int32(1)},
		{"drpc.CodeWrongConn", drpc.CodeWrongConn, int32(100)},
		{"drpc.CodeConnClosed", drpc.CodeConnClosed, int32(102)},
		{"drpc.CodeWriteFailed", drpc.CodeWriteFailed, int32(104)},
		{"drpc.CodeDialFailed", drpc.CodeDialFailed, int32(105)},
		{"drpc.CodeBadMessage", drpc.CodeBadMessage, int32(400)},
		{"drpc.CodeUnauthorized", drpc.CodeUnauthorized, int32(401)},
		{"drpc.CodeNotFound", drpc.CodeNotFound, int32(404)},
		{"drpc.CodeMTypeNotAllowed", drpc.CodeMTypeNotAllowed, int32(405)},
		{"drpc.CodeHandleTimeout", drpc.CodeHandleTimeout, int32(408)},
		{"drpc.CodeInternalServerError", drpc.CodeInternalServerError, int32(500)},
		{"drpc.CodeBadGateway", drpc.CodeBadGateway, int32(502)},
		{"drpc.CodeConflict", drpc.CodeConflict, int32(409)},
		{"message.TypeUndefined", message.TypeUndefined, byte(0)},
		{"message.TypeCall", message.TypeCall, byte(1)},
		{"message.TypeReply", message.TypeReply, byte(2)},
		{"message.TypePush", message.TypePush, byte(3)},
		{"message.TypeAuthCall", message.TypeAuthCall, byte(4)},
		{"message.TypeAuthReply", message.TypeAuthReply, byte(5)},
		{"message.MetaRealIP", message.MetaRealIP, "X-Real-IP"},
		{"message.MetaAcceptBodyCodec", message.MetaAcceptBodyCodec, "X-Accept-Body-Codec"},
		{"codec.NilCodecID", codec.NilCodecID, byte(0)},
		{"codec.NilCodecName", codec.NilCodecName, ""},
		{"codec.FormName", codec.FormName, "form"},
		{"codec.FormId", codec.FormId, 'f'},
		{"codec.JsonName", codec.JsonName, "json"},
		{"codec.JsonId", codec.JsonId, 'j'},
		{"codec.PlainName", codec.PlainName, "plain"},
		{"codec.PlainId", codec.PlainId, 's'},
		{"codec.ProtobufName", codec.ProtobufName, "protobuf"},
		{"codec.ProtobufId", codec.ProtobufId, 'p'},
		{"codec.XmlName", codec.XmlName, "xml"},
		{"codec.XmlId", codec.XmlId, 'x'},
		{"status.OK", status.OK, int32(0)},
		{"status.UnknownError", status.UnknownError, int32(-1)},
		{"tfilter.AesId", tfilter.AesId, 'a'},
		{"tfilter.AesName", tfilter.AesName, "aes"},
		{"tfilter.GzipId", tfilter.GzipId, 'z'},
		{"tfilter.GzipName", tfilter.GzipName, "gzip"},
		{"tfilter.Md5Id", tfilter.Md5Id, '5'},
		{"tfilter.Md5Name", tfilter.Md5Name, "md5"},
		{"drpc.TypeCall", drpc.TypeCall, byte(1)},
		{"drpc.TypeReply", drpc.TypeReply, byte(2)},
		{"drpc.TypePush", drpc.TypePush, byte(3)},
		{"drpc.TypeAuthCall", drpc.TypeAuthCall, byte(4)},
		{"drpc.TypeAuthReply", drpc.TypeAuthReply, byte(5)},
		{"drpc.MetaRealIP", drpc.MetaRealIP, "X-Real-IP"},
		{"drpc.MetaAcceptBodyCodec", drpc.MetaAcceptBodyCodec, "X-Accept-Body-Codec"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v (%[2]T), want %v (%[3]T)", c.name, c.got, c.want)
		}
	}
}

// Interfaces that programs implement must not ask for more than they did.
func TestInterfacesOfUserCodeAskForNoMore(t *testing.T) {
	t.Parallel()
	hook := 2 // Name and the hook itself
	for i, methods := range map[reflect.Type]int{
		reflect.TypeFor[drpc.Plugin]():                     1,
		reflect.TypeFor[codec.Codec]():                     4,
		reflect.TypeFor[tfilter.TransferFilter]():          4,
		reflect.TypeFor[proto.Proto]():                     3,
		reflect.TypeFor[logger.Handler]():                  2,
		reflect.TypeFor[drpc.BeforeNewEndpointPlugin]():    hook,
		reflect.TypeFor[drpc.AfterNewEndpointPlugin]():     hook,
		reflect.TypeFor[drpc.BeforeCloseEndpointPlugin]():  hook,
		reflect.TypeFor[drpc.AfterCloseEndpointPlugin]():   hook,
		reflect.TypeFor[drpc.AfterRegRouterPlugin]():       hook,
		reflect.TypeFor[drpc.AfterListenPlugin]():          hook,
		reflect.TypeFor[drpc.BeforeDialPlugin]():           hook,
		reflect.TypeFor[drpc.AfterDialPlugin]():            hook,
		reflect.TypeFor[drpc.AfterDialFailPlugin]():        hook,
		reflect.TypeFor[drpc.AfterAcceptPlugin]():          hook,
		reflect.TypeFor[drpc.BeforeWriteCallPlugin]():      hook,
		reflect.TypeFor[drpc.AfterWriteCallPlugin]():       hook,
		reflect.TypeFor[drpc.BeforeWriteReplyPlugin]():     hook,
		reflect.TypeFor[drpc.AfterWriteReplyPlugin]():      hook,
		reflect.TypeFor[drpc.BeforeWritePushPlugin]():      hook,
		reflect.TypeFor[drpc.AfterWritePushPlugin]():       hook,
		reflect.TypeFor[drpc.BeforeReadHeaderPlugin]():     hook,
		reflect.TypeFor[drpc.AfterReadCallHeaderPlugin]():  hook,
		reflect.TypeFor[drpc.BeforeReadCallBodyPlugin]():   hook,
		reflect.TypeFor[drpc.AfterReadCallBodyPlugin]():    hook,
		reflect.TypeFor[drpc.AfterReadPushHeaderPlugin]():  hook,
		reflect.TypeFor[drpc.BeforeReadPushBodyPlugin]():   hook,
		reflect.TypeFor[drpc.AfterReadPushBodyPlugin]():    hook,
		reflect.TypeFor[drpc.AfterReadReplyHeaderPlugin](): hook,
		reflect.TypeFor[drpc.BeforeReadReplyBodyPlugin]():  hook,
		reflect.TypeFor[drpc.AfterReadReplyBodyPlugin]():   hook,
		reflect.TypeFor[drpc.AfterDisconnectPlugin]():      hook,
	} {
		if got := i.NumMethod(); got != methods {
			t.Errorf("%v has %d methods, want %d", i, got, methods)
		}
	}
}

func TestEndpointConfigKeepsItsFieldsAndTags(t *testing.T) {
	t.Parallel()
	type field struct {
		name, tag string
		typ       reflect.Type
	}
	str, port := reflect.TypeFor[string](), reflect.TypeFor[uint16]()
	age := reflect.TypeFor[time.Duration]()
	for _, f := range []field{
		{"Network", "network", str},
		{"ListenIP", "listen_ip", str},
		{"ListenPort", "listen_port", port},
		{"LocalIP", "local_ip", str},
		{"LocalPort", "local_port", port},
		{"DefaultBodyCodec", "default_body_codec", str},
		{"DefaultSessionAge", "default_session_age", age},
		{"DefaultContextAge", "default_context_age", age},
		{"SlowCometDuration", "slow_comet_duration", age},
		{"PrintDetail", "print_detail", reflect.TypeFor[bool]()},
		{"DialTimeout", "dial_timeout", age},
		{"RedialTimes", "redial_times", reflect.TypeFor[int]()},
		{"RedialInterval", "redial_interval", age},
	} {
		got, ok := reflect.TypeFor[drpc.EndpointConfig]().FieldByName(f.name)
		if !ok || got.Type != f.typ || got.Tag.Get("json") != f.tag {
			t.Errorf("%s is %v with tag %q, want %v with tag %q", f.name, got.Type, got.Tag.Get("json"), f.typ, f.tag)
		}
	}
}

func TestStatusIsSafeToAskWhenNil(t *testing.T) {
	t.Parallel()
	var stat *drpc.Status
	if !stat.OK() || stat.Code() != 0 || stat.Msg() != "" || stat.Cause() != nil || stat.UnknownError() {
		t.Errorf("a nil status is not OK: %v", stat)
	}
	if got := stat.String(); got != "<nil>" {
		t.Errorf("String %q", got)
	}
	if raw, err := stat.MarshalJSON(); err != nil || string(raw) != "null" {
		t.Errorf("MarshalJSON %s, %v", raw, err)
	}
}

// accepting answers an early call in AfterAccept.
type accepting struct{ stat chan *drpc.Status }

func (accepting) Name() string { return "accepting" }

func (a accepting) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	in := sess.EarlyReceive(func(message.Header) any { return new(string) })
	if stat := in.Status(); !stat.OK() {
		return stat
	}
	a.stat <- sess.EarlyReply(in, "hello "+*in.Body().(*string), nil)
	return nil
}

// dialling makes an early call in AfterDial.
type dialling struct{ stat chan *drpc.Status }

func (dialling) Name() string { return "dialling" }

func (d dialling) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status {
	var reply string
	d.stat <- sess.EarlyCall("/early", "you", &reply)
	if reply != "hello you" {
		return drpc.NewStatus(1001, "early reply is "+reply)
	}
	d.stat <- sess.RawPush("/ignored", nil)
	return nil
}

// Callers write `if stat != nil`, so an OK status that is not nil would be taken for a failure.
func TestSuccessIsANilStatus(t *testing.T) {
	t.Parallel()
	early := make(chan *drpc.Status, 3)
	srv, err := drpc.New(drpc.EndpointConfig{}, accepting{early})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	srv.RouteCallFunc(func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	cli, err := drpc.New(drpc.EndpointConfig{}, dialling{early})
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan *drpc.Status, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			served <- drpc.NewStatus(1001, "accept", err)
			return
		}
		_, stat := srv.ServeConn(conn)
		served <- stat
	}()
	sess, stat := cli.Dial(ln.Addr().String())
	check := func(what string, stat *drpc.Status) {
		if stat != nil {
			t.Errorf("%s: %v", what, stat)
		}
	}
	check("Dial", stat)
	check("ServeConn", <-served)
	check("early", <-early)
	check("early", <-early)
	check("early", <-early)
	if t.Failed() {
		return
	}
	var result string
	call := sess.Call("/func1", "x", &result)
	check("Call", call.Status())
	if _, stat = call.Reply(); stat != nil || !call.StatusOK() || result != "x" {
		t.Errorf("Reply %v, result %q", stat, result)
	}
	async := sess.AsyncCall("/func1", "y", &result, nil)
	<-async.Done()
	check("AsyncCall", async.Status())
	check("Push", sess.Push("/nobody/cares", "z"))
	if sess, found := srv.GetSession("no such id"); found || sess != nil {
		t.Errorf("GetSession of an unknown id: %v, %v", sess, found)
	}
}

func TestRawIsTheDefaultProtocolByValue(t *testing.T) {
	t.Parallel()
	got, want := reflect.ValueOf(drpc.DefaultProtoFunc()).Pointer(), reflect.ValueOf(rawproto.RawProtoFunc).Pointer()
	if got != want {
		t.Error("DefaultProtoFunc is not RawProtoFunc")
	}
	if id, name := drpc.DefaultProtoFunc()(nil).Version(); id != 6 || name != "raw" {
		t.Errorf("version %d, %q", id, name)
	}
}

// TestProgramsBuildUnchanged builds programs as users have them; dserver's tests run them.
func TestProgramsBuildUnchanged(t *testing.T) {
	t.Parallel()
	// Read so that a cached result does not outlive a change of the package that only the programs import.
	if _, err := os.ReadDir("../dserver"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server", "client"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", "programs", name+".go.txt"))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			source := filepath.Join(dir, "main.go")
			if err = os.WriteFile(source, text, 0o600); err != nil {
				t.Fatal(err)
			}
			// The source lies outside the module, its imports are resolved in it: exactly as `replace` would.
			build := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), source)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}
