package tfilter

// TransferFilter transforms payloads. Its methods are called from many
// goroutines at once.
type TransferFilter interface {
	// ID is the id on the wire.
	ID() byte

	// Name is the name in settings and textual protocols, never empty.
	Name() string

	// OnPack returns the transformed src. It must not change src nor keep it;
	// the result may share its memory.
	OnPack(src []byte) ([]byte, error)

	// OnUnpack is the reverse of OnPack, under the same rules. src comes from
	// the network: it may hold anything.
	OnUnpack(src []byte) ([]byte, error)
}

// LimitedUnpacker is what a [TransferFilter] whose results can be longer than
// their input implements, besides, so that a peer cannot exhaust the memory.
type LimitedUnpacker interface {
	// OnUnpackLimit is OnUnpack that gives up with a [*SizeError], while at
	// work and not afterwards, as soon as the result exceeds limit bytes. A
	// limit below 0 counts as 0.
	OnUnpackLimit(src []byte, limit int) ([]byte, error)
}
