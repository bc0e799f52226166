package integration

import (
	"net/url"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/etcd"
	"github.com/osgochina/dmicro/registry/registrytest"
)

func TestClusterIsVerified(t *testing.T) {
	t.Parallel()
	authority := certtest.New(t)
	certFile, keyFile := authority.Files("127.0.0.1")
	c := startCluster(t, func(cfg *embed.Config) {
		cfg.ListenClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
		cfg.AdvertiseClientUrls = cfg.ListenClientUrls
		cfg.ClientTLSInfo.CertFile, cfg.ClientTLSInfo.KeyFile = certFile, keyFile
	})
	s := registrytest.Service("foo", "1.0.0", 8080)
	registrytest.Register(t, c.registry(registry.OptTimeout(20*time.Second), registry.OptTLSConfig(authority.Client())), s)
	for name, opts := range map[string][]registry.Option{
		"a stranger": {registry.OptSecure(true)},
		"no TLS":     nil,
	} {
		r := c.registry(append(opts, registry.OptTimeout(time.Second))...)
		if got, err := r.GetService("foo"); err == nil {
			t.Errorf("%s is believed: %+v", name, got)
		}
	}
}

func TestUserOfTheCluster(t *testing.T) {
	t.Parallel()
	c := ownCluster(t)
	admin := c.client()
	ctx := background(t)
	for what, do := range []func() error{
		func() error { _, err := admin.UserAdd(ctx, "root", "root secret"); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := admin.RoleAdd(ctx, "shops"); return err },
		func() error {
			_, err := admin.RoleGrantPermission(ctx, "shops", "/shops/", clientv3.GetPrefixRangeEnd("/shops/"), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := admin.UserAdd(ctx, "shop", "shop secret"); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "shop", "shops"); return err },
		func() error { _, err := admin.AuthEnable(ctx); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(what, err)
		}
	}
	s := registrytest.Service("foo", "1.0.0", 8080)
	good := c.registry(registry.OptTimeout(20*time.Second), etcd.Auth("shop", "shop secret"), etcd.Prefix("/shops/"), etcd.RegisterTTL(2*time.Second))
	registrytest.Register(t, good, s)
	w, err := good.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if res, err := w.Next(); err != nil || res.Action != registry.Create {
		t.Errorf("%+v, %v", res, err)
	}
	time.Sleep(3 * time.Second) // more than the TTL
	registrytest.WaitAddresses(t, good, "foo", "127.0.0.1:8080")
	for name, opts := range map[string][]registry.Option{
		"wrong password":  {etcd.Auth("shop", "other secret"), etcd.Prefix("/shops/")},
		"no user":         {etcd.Prefix("/shops/")},
		"somebody else's": {etcd.Auth("shop", "shop secret"), etcd.Prefix("/banks/")},
	} {
		r := c.registry(append(opts, registry.OptTimeout(2*time.Second))...)
		err := r.Register(s)
		if err == nil {
			t.Errorf("%s may register", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
		if got, err := r.GetService("foo"); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	registrytest.Deregister(t, good, s)
}
