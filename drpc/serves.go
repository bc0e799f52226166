package drpc

// Serves reports whether e serves others: it listens, or has accepted a connection. An endpoint of another make is taken
// for one that does. Safe for concurrent use.
func Serves(e Endpoint) bool {
	own, ok := e.(*endpoint)
	return !ok || own.serves.Load() || len(own.Addrs()) > 0
}
