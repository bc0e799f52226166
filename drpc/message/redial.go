package message

// RedialPolicy says what a call or push does whose session is between two connections.
type RedialPolicy byte

const (
	// RedialWait waits for the next connection until the time for the message itself is over, or the session gives up.
	// It is the default.
	RedialWait RedialPolicy = iota
	// RedialOnce waits until the next attempt to connect has come to its end, and fails if that fails.
	RedialOnce
	// RedialFailFast fails at once. The session goes on trying to come back.
	RedialFailFast
)

// WithRedialPolicy sets what becomes of the message if its session is between two connections. What fails by it was
// not sent.
func WithRedialPolicy(p RedialPolicy) MsgSetting {
	return func(m Message) { m.messageIdentity().redial = p }
}

// WithFailFast is WithRedialPolicy(RedialFailFast).
func WithFailFast() MsgSetting { return WithRedialPolicy(RedialFailFast) }

// RedialPolicy returns what WithRedialPolicy has set.
func (m *Msg) RedialPolicy() RedialPolicy { return m.redial }
