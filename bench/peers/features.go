package peers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strconv"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/socket"
)

// Features returns DMicro with one thing switched on at a time, to show what each costs. The first is the plain one,
// which all others are compared with.
func Features() []Peer {
	return []Peer{
		variant{}.peer("plain", "nothing switched on: raw protocol, protobuf body", Ours),
		variant{plugins: busy(1)}.peer("plugins-1", "a plugin with hooks before writes and around reads", Ours),
		variant{plugins: busy(5)}.peer("plugins-5", "five of these", Ours),
		variant{plugins: waiting(1)}.peer("waiting-1", "a plugin that has hooks after writes too, which wait for the write", Ours),
		variant{plugins: waiting(5)}.peer("waiting-5", "five of these", Ours),
		variant{record: true}.peer("metrics", "metrics/prometheus records both sides", Ours),
		variant{settings: deadline}.peer("deadline", "a context with a timeout of its own for each call", Ours),
		variant{settings: twoMeta}.peer("meta-2", "two pairs of meta with each call", Ours),
		variant{setup: Secure}.peer("tls", "TLS 1.3", Ours),
		variant{json: true}.peer("json", "raw protocol, JSON body (bytes as base64)", Ours),
		variant{proto: speaking(pbproto.NewPbProtoFunc())}.peer("pbproto", "protobuf protocol, protobuf body", Ours),
		variant{proto: speaking(httpproto.NewHTTProtoFunc())}.peer("httpproto", "HTTP protocol, protobuf body", Ours),
		variant{proto: speaking(jsonproto.NewJSONProtoFunc()), json: true}.peer("jsonproto", "JSON protocol, JSON body", Ours),
		variant{proto: speaking(jsonrpcproto.NewJSONRPCProtoFunc()), json: true}.
			peer("jsonrpcproto", "JSON-RPC protocol, JSON body", Ours),
	}
}

func speaking(f socket.ProtoFunc) []socket.ProtoFunc { return []socket.ProtoFunc{f} }

// busyPlugin takes part in every hook on the path of a call that does not wait for a write, and does nothing.
type busyPlugin string

func (p busyPlugin) Name() string                                   { return string(p) }
func (busyPlugin) BeforeWriteCall(drpc.WriteCtx) *drpc.Status       { return nil }
func (busyPlugin) BeforeWriteReply(drpc.WriteCtx) *drpc.Status      { return nil }
func (busyPlugin) AfterReadCallHeader(drpc.ReadCtx) *drpc.Status    { return nil }
func (busyPlugin) BeforeReadCallBody(drpc.ReadCtx) *drpc.Status     { return nil }
func (busyPlugin) AfterReadCallBody(drpc.ReadCtx) *drpc.Status      { return nil }
func (busyPlugin) AfterReadReplyHeader(drpc.ReadCtx) *drpc.Status   { return nil }
func (busyPlugin) BeforeReadReplyBody(drpc.ReadCtx) *drpc.Status    { return nil }
func (busyPlugin) AfterReadReplyBody(ctx drpc.ReadCtx) *drpc.Status { return nil }

// waitingPlugin takes part in the hooks after a write as well, so that its messages have to be written before the next
// thing happens.
type waitingPlugin struct{ busyPlugin }

func (waitingPlugin) AfterWriteCall(drpc.WriteCtx) *drpc.Status  { return nil }
func (waitingPlugin) AfterWriteReply(drpc.WriteCtx) *drpc.Status { return nil }

func busy(n int) (list []drpc.Plugin) {
	for i := range n {
		list = append(list, busyPlugin("busy"+strconv.Itoa(i)))
	}
	return list
}

func waiting(n int) (list []drpc.Plugin) {
	for i := range n {
		list = append(list, waitingPlugin{busyPlugin("waiting" + strconv.Itoa(i))})
	}
	return list
}

func deadline() ([]message.MsgSetting, func()) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	return []message.MsgSetting{drpc.WithContext(ctx)}, cancel
}

func twoMeta() ([]message.MsgSetting, func()) {
	return []message.MsgSetting{
		drpc.WithSetMeta("tenant", "blue"), drpc.WithSetMeta("trace", "4bf92f3577b34da6"),
	}, func() {}
}

// Secure makes an endpoint use TLS, a server with a certificate that it signs itself, a client without looking at it:
// the two are different processes that share no secret, and who the server is takes no part in what a call costs.
func Secure(e drpc.Endpoint, server bool) error {
	if !server {
		e.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	e.SetTLSConfig(&tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	return nil
}
