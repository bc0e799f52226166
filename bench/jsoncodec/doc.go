// Package jsoncodec weighs libraries for the json body codec: what each does otherwise than encoding/json, and how fast
// each is on the shapes that calls have. It has tests and benchmarks only:
//
//	go test ./jsoncodec -run Differences -v -weigh
//	go test ./jsoncodec -run Random -v -candidate goccy -for 30s
//	go test ./jsoncodec -run '^$' -bench . -benchmem
//
// The decision taken from it is docs/adr/0009-json-codec.md of the main module.
package jsoncodec
