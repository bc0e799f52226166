// Package metrics is how a program lets itself be watched: the interface that servers and clients take, and the pages
// on which figures are shown.
//
// Package metrics/prometheus implements [Metrics]. A server or a client that is given one by its OptMetrics starts it,
// adds its plugins to the endpoint, and shuts it down at the end.
//
// A [Page] is figures that are shown at an address. Where several processes serve together, each of them would show its
// own: there the process model sets a [Publisher] in its workers, collects the figures of all, and shows their [Sum].
//
// All functions, and the methods of all types, may be called concurrently.
package metrics
