package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/plugin/auth"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

func TestCheckerSeesTheTLSOfTheClient(t *testing.T) {
	t.Parallel()
	certs := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer certs.Close()
	seen := make(chan bool, 2)
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(func(sess auth.Session, fn auth.ReCvOnce) (any, *drpc.Status) {
		state, ok := auth.TLSState(sess)
		seen <- ok && state.HandshakeComplete
		return check(sess, fn)
	}))
	routes(srv)
	srv.SetTLSConfig(certs.TLS.Clone())
	cli := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewBearerPlugin(bear(credential{"ann", secret}, nil)))
	cli.SetTLSConfig(certs.Client().Transport.(*http.Transport).TLSClientConfig.Clone())
	sess := peertest.Dial(t, cli, peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	var got string
	if stat := sess.Call("/name", "", &got).Status(); stat != nil || got != "ann" {
		t.Errorf("name %q (%v)", got, stat)
	}
	if !<-seen {
		t.Error("the checker sees no TLS")
	}
	if _, ok := auth.TLSState(nil); ok {
		t.Error("there is TLS where there is no session")
	}
}
