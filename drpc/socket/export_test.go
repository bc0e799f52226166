package socket

// What the tests of this package need to know of the outbox.
const (
	MaxHeld      = maxHeld
	MaxHeldBytes = maxHeldBytes
	MaxPassed    = maxPassed
	MaxRounds    = maxRounds
)

// Coming is how many goroutines were announced to the outbox and have not arrived.
func Coming(s *Conn) int { return s.out.coming() }

// Waiting is how many bytes were handed to the outbox and not written.
func Waiting(s *Conn) int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.queued
}

// Ahead is how many bytes s has read ahead, whatever its protocol.
func Ahead(s *Conn) int { return s.in.buffered() }
