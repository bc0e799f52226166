// Package heartbeat has the plugins that notice a peer which is gone or has stopped without saying so.
//
// One side pings, mostly the dialling one, the other pongs. [NewPing] looks at every session of its endpoint. One over
// which nothing came, or nothing went, for as long as the rate gets a heartbeat; one that is busy both ways gets none.
// A peer that does not send a single byte for the rate after it was asked is given up: the connection is cut, as
// drpc.Cut does, so that waiting calls end with CodeConnClosed and the session redials where it is to redial. Any answer
// will do, also status 404 of a peer that has no pong.
//
// [NewPong] answers, and cuts connections whose peer has pinged before and is silent for twice the rate that it
// announced.
//
// On the wire a heartbeat is a call or push of [ServiceMethod] without a body, whose meta has the rate in whole seconds
// under [MetaRate].
//
// Each plugin has one goroutine for each endpoint, from its first session until the endpoint closes. It counts how often
// it has looked and not how much time went by, so that a process that was stopped for a while, or a laptop that slept,
// does not take its own absence for that of its peers. Everything may be used concurrently.
package heartbeat

import "time"

const (
	// ServiceMethod is what heartbeats are sent to.
	ServiceMethod = "/heartbeat"
	// MetaRate is the meta key of the rate, in whole seconds.
	MetaRate = "hb_"

	// MinRate and MaxRate bound the rate, that of Ping and that which a peer announces: what lies outside is taken for the
	// nearer one.
	MinRate = 3 * time.Second
	// MaxRate is the other bound.
	MaxRate = time.Hour
)
