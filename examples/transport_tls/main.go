// Command transport_tls serves over TLS and lets in only those whose certificate it trusts.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	dir, err := os.MkdirTemp("", "example")
	demo.Check(err)
	defer os.RemoveAll(dir)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	makeCertificate(cert, key)

	// For the example one certificate is that of the server, of the client, and of the authority.
	files := drpc.TLSFiles{Cert: cert, Key: key, CA: cert}
	server := demo.Endpoint(drpc.EndpointConfig{})
	demo.Check(server.SetTLSFiles(files))
	defer server.Close()
	drpc.HandleCall(server, "/echo", func(_ drpc.CallCtx, text *string) (string, *drpc.Status) { return *text, nil })
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{})
	demo.Check(client.SetTLSFiles(files))
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var reply string
	demo.OK(sess.Call("/echo", "over TLS", &reply).Status())
	fmt.Println(reply)

	stranger := demo.Endpoint(drpc.EndpointConfig{DialTimeout: 5 * time.Second})
	defer stranger.Close()
	sess, stat = stranger.Dial(addr) // without TLS
	if stat.OK() {
		stat = sess.Call("/echo", "in the open", &reply).Status()
	}
	fmt.Println("a stranger is served:", stat.OK())
}

// makeCertificate writes a certificate for this machine that signs itself.
func makeCertificate(certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	demo.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	demo.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	demo.Check(err)
	demo.Check(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	demo.Check(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// Output:
// over TLS
// a stranger is served: false
