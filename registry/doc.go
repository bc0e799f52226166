// Package registry says which nodes serve a service and where they are.
//
// A [Registry] is where servers write themselves down and clients look them up. The packages below this one are
// registries: memory for one process and for tests, etcd for clusters, cache in front of any other. The one in this
// package, made by [NewRegistry], needs no infrastructure: nodes find each other by multicast DNS. A [PluginRegistry] keeps
// an endpoint registered as long as it listens.
//
// All registries may be used concurrently. Services and nodes that a registry returns belong to the caller; those that
// are given to a registry are copied. A [Watcher] is for one goroutine, but its Stop may be called from any.
package registry
