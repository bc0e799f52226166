// Package dmicro is the root of DMicro, a framework for services that talk over long-lived connections in both
// directions.
//
// The module has two halves. Package drpc is the core: an endpoint is client and server at once, a session is
// one connection, either side may call or push, and wire protocol, codec, transfer filter and transport are all
// exchangeable. Package dserver is the application runner round it: it starts, stops and inspects the units of an
// application, called sandboxes, from the command line. Package logger is the log of both. The rest of the tree is
// layered below them; docs/architecture.md draws the layers.
//
// This package itself holds the version only. It keeps no state.
package dmicro

// Version is the version of DMicro that a program is built with, as the version command prints it.
const Version = "v2.0.0-alpha.1"
