package drpc

import (
	"net"
	"testing"
)

func TestServesTellsServersFromClients(t *testing.T) {
	t.Parallel()
	server := newPeer(t, EndpointConfig{LocalIP: "127.0.0.1"})
	serve(t, server)
	client := newPeer(t, EndpointConfig{})
	if _, stat := client.Dial(server.Addrs()[0].String()); !stat.OK() {
		t.Fatal(stat)
	}
	if !Serves(server) || Serves(client) {
		t.Errorf("server %v, client %v", Serves(server), Serves(client))
	}
}

func TestAnEndpointThatOnlyTakesConnectionsServes(t *testing.T) {
	t.Parallel()
	server := newPeer(t, EndpointConfig{})
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	if _, stat := server.ServeConn(near); !stat.OK() {
		t.Fatal(stat)
	}
	if !Serves(server) {
		t.Error("it has accepted a connection")
	}
}
