// Package etcd is a registry in an etcd cluster, version 3.
//
// Each node is a key, <prefix><service>/<node id> with "-" for "/" in both names, whose value is the JSON of a
// registry.Service with that one node. The key has a lease: a server that dies disappears when it ends. A registration is
// kept by the registry itself, whatever happens to the cluster or to the key, until Deregister.
//
// All functions may be called concurrently. The registry has an io.Closer; a program that uses one registry as long
// as it runs need not close it.
package etcd
