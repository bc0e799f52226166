package proto

import (
	"errors"
	"fmt"
	"math"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

const (
	// MaxFilters is how many transfer filters a frame may name. The wire has room for 255, but no honest peer needs more
	// than a few, and each one is a pass over the whole payload that a stranger would have us make.
	MaxFilters = 16
	// MaxHeaderPart is how many bytes a service method, a status or a meta may have in any protocol, sent or received.
	// It is what the raw frame has room for, so that a message can pass from one protocol to another. A protocol with
	// less room refuses earlier.
	MaxHeaderPart = 1<<16 - 1
)

var (
	// ErrMalformed is what every error about a frame that cannot be parsed matches with errors.Is, in all protocols.
	ErrMalformed = errors.New("malformed frame")
	// ErrHeaderTooLong is what every error about a header part that is too long matches with errors.Is, in all protocols.
	ErrHeaderTooLong = errors.New("header part too long")
	// ErrNotText is what every error about text that is not UTF-8 matches with errors.Is, in all protocols that have no
	// other place for it. Packing such a message fails before anything is written: a receiver would see another text.
	ErrNotText = errors.New("not UTF-8")
	// ErrTooManyFilters is what packing or parsing a frame with more than [MaxFilters] transfer filters gives.
	ErrTooManyFilters = fmt.Errorf("more than %d transfer filters", MaxFilters)
)

// CheckHeaderPart returns an error that matches ErrHeaderTooLong if a part of n bytes is longer than MaxHeaderPart.
func CheckHeaderPart(part string, n int) error {
	if n <= MaxHeaderPart {
		return nil
	}
	return fmt.Errorf("%w: %s of %d bytes, allowed are %d", ErrHeaderTooLong, part, n, MaxHeaderPart)
}

// Filter passes the payload of a frame to be sent, frame[at:], through the filters of m. A payload above the size limit
// of m is refused even if they would shorten it: a receiver holds it against its own limit without them, too.
func Filter(frame []byte, at int, m *message.Msg) ([]byte, error) {
	pipe := m.PipeTFilter()
	if pipe.Len() == 0 {
		return frame, nil
	}
	if err := message.CheckSize(uint64(len(frame)-at), m.SizeLimit()); err != nil {
		return frame, err
	}
	packed, err := pipe.OnPack(frame[at:])
	if err != nil {
		return frame, err
	}
	return append(frame[:at], packed...), nil
}

// Unfilter passes a received payload through the filters with the ids given, which become those of m. The result
// stays below the size limit of m while it is made, whatever the filters would inflate it to.
func Unfilter(payload, ids []byte, m *message.Msg) ([]byte, error) {
	pipe := m.PipeTFilter()
	pipe.Reset()
	if len(ids) == 0 {
		return payload, nil
	}
	if len(ids) > MaxFilters {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, ErrTooManyFilters)
	}
	if err := pipe.Append(ids...); err != nil {
		return nil, err
	}
	payload, err := pipe.OnUnpackLimit(payload, int(min(uint64(m.SizeLimit()), math.MaxInt)))
	if size := (*tfilter.SizeError)(nil); errors.As(err, &size) {
		return nil, message.ExceedsLimit(err)
	}
	return payload, err
}
