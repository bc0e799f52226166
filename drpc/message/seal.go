package message

// Sealer turns the encoded body of m into what is sent instead of it, such as its encrypted form. plain is only lent to
// it. What it returns goes under the codec of m. It may be called more than once for a message that is encoded again, not
// concurrently. An error fails the sending with it.
type Sealer func(m *Msg, plain []byte) ([]byte, error)

// SetSealer has every body of the message, whatever is set as one later, pass through fn when the message is encoded: no
// hook and no handler that comes in between can make it leave unsealed. Nil takes the sealer off.
func (m *Msg) SetSealer(fn Sealer) { m.sealer = fn }

// Sealed reports whether the message has a sealer.
func (m *Msg) Sealed() bool { return m.sealer != nil }

// appendSealed is AppendBody for a message with a sealer.
func (m *Msg) appendSealed(dst []byte) ([]byte, error) {
	plain, err := m.appendPlain(nil)
	if err != nil {
		return dst, err
	}
	sealed, err := m.sealer(m, plain)
	if err != nil {
		return dst, err
	}
	return append(dst, sealed...), nil
}
