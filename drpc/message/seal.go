package message

// Sealer turns the encoded body of a message into what is sent instead of it, such as its encrypted form.
type Sealer interface {
	// Seal returns what is sent, under the codec of m, instead of plain, which is only lent. It may be called more than
	// once for a message that is encoded again, not concurrently. An error fails the sending with it.
	Seal(m *Msg, plain []byte) ([]byte, error)
}

// SetSealer has every body of the message, whatever is set as one later, pass through s when the message is encoded: no
// hook and no handler that comes in between can make it leave unsealed. Nil takes the sealer off.
func (m *Msg) SetSealer(s Sealer) { m.sealer = s }

// Sealer returns the sealer of the message, nil if it has none.
func (m *Msg) Sealer() Sealer { return m.sealer }

// appendSealed is AppendBody for a message with a sealer.
func (m *Msg) appendSealed(dst []byte) ([]byte, error) {
	plain, err := m.appendPlain(nil)
	if err != nil {
		return dst, err
	}
	sealed, err := m.sealer.Seal(m, plain)
	if err != nil {
		return dst, err
	}
	return append(dst, sealed...), nil
}
