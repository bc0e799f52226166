package message

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
)

// DefaultMsgSizeLimit is the limit of a frame in bytes until SetMsgSizeLimit changes it: 4 MiB.
const DefaultMsgSizeLimit uint32 = 4 << 20

// ErrExceedMessageSizeLimit is what every error about a frame above the limit matches with errors.Is.
var ErrExceedMessageSizeLimit = errors.New("message size exceeds the limit")

var sizeLimit atomic.Uint32

func init() { sizeLimit.Store(DefaultMsgSizeLimit) }

// MsgSizeLimit returns the process-wide limit of a frame in bytes. Safe for concurrent use.
func MsgSizeLimit() uint32 { return sizeLimit.Load() }

// SetMsgSizeLimit sets the process-wide limit of a frame in bytes; 0 means the largest, 4 GiB - 1. It is checked
// before memory is taken for a frame, and again after decompression. Safe for concurrent use.
func SetMsgSizeLimit(maxMessageSize uint32) {
	if maxMessageSize == 0 {
		maxMessageSize = math.MaxUint32
	}
	sizeLimit.Store(maxMessageSize)
}

// CheckSize returns an error that matches ErrExceedMessageSizeLimit if size is above limit.
func CheckSize(size uint64, limit uint32) error {
	if size <= uint64(limit) {
		return nil
	}
	return ExceedsLimit(fmt.Errorf("%d bytes, allowed are %d", size, limit))
}

// ExceedsLimit returns err as one that matches ErrExceedMessageSizeLimit and says how to raise the limit, for what
// turned out to be too large only while it was unpacked.
func ExceedsLimit(err error) error {
	return fmt.Errorf("%w: %w; raise it with drpc.SetReadLimit or EndpointConfig.MaxMessageSize",
		ErrExceedMessageSizeLimit, err)
}
