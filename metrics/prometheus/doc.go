// Package prometheus records calls, pushes and sessions, and shows them to a Prometheus server.
//
//	m := prometheus.NewPromMetrics(metrics.OptPort(9101), metrics.OptServiceName("calculator"))
//	srv := server.NewRpcServer("calculator", server.OptMetrics(m))
//
// An endpoint that is made without package server or client gets the plugins of the options, and the program calls Start
// and Shutdown itself.
//
// Recording a call costs two or three additions: what they add to is found through the index of its handler. Labels are
// put together when somebody asks. Their number is bounded, whatever peers send: calls that no handler has share one
// path, peers are no label, and a path has a limited number of codes.
//
// Metrics of one process with the same page are added up on it. Figures of several processes are added up by the merger
// of the format [Format]; see package metrics.
//
// All methods may be called concurrently.
package prometheus
