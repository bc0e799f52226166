// Package integration tests DMicro against what it talks to: a real etcd, which the tests start in their own process.
//
// To run those tests that need not stop the cluster against another one, name it:
//
//	DMICRO_ETCD=10.0.0.1:2379,10.0.0.2:2379 go test ./...
package integration
