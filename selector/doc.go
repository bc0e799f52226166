// Package selector chooses which node of a service gets a call.
//
// A [Selector] knows the nodes from a registry, which it looks up through a cache. What chooses among them is a
// [Balancer]: [LeastLoad], [RoundRobin], [Weighted], [UniformRandom], [ConsistentHash] or one of your own. Nodes that
// cannot be reached or keep failing are left out for a while, and nodes that are new get their share slowly: see [Health].
//
// Who can say how calls went uses [Picker.Pick], which costs less than 200 ns and allocates nothing. Select, which
// programs written for DMicro 1.x use, is for those who cannot.
//
// Everything may be called concurrently.
package selector
