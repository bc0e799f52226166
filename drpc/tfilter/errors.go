package tfilter

import (
	"errors"
	"fmt"
)

var (
	// ErrUnsupported is what [UnknownIDError] and [UnknownNameError] match with
	// errors.Is.
	ErrUnsupported = errors.New("unsupported transfer filter")

	// ErrTransferFilterTooLong says that a pipe has more than 255 filters; their
	// number travels in one byte.
	ErrTransferFilterTooLong = errors.New("transfer filter pipe is longer than 255")

	// ErrCheckFailed says that a payload is not what its md5 digest is of.
	ErrCheckFailed = errors.New("check failed")

	// ErrDecrypt says that bytes were not encrypted by the aes or the aes-gcm
	// filter with this key, or, for aes-gcm, were changed since. It is the same
	// for every cause: each difference that a peer could tell would help it to
	// decrypt without the key.
	ErrDecrypt = errors.New("cannot decrypt")
)

// UnknownIDError is the id of a filter that is not registered.
type UnknownIDError byte

// Error names the id.
func (e UnknownIDError) Error() string {
	return fmt.Sprintf("unsupported transfer filter id: %d", byte(e))
}

// Is reports whether target is [ErrUnsupported].
func (e UnknownIDError) Is(target error) bool { return target == ErrUnsupported }

// UnknownNameError is the name of a filter that is not registered.
type UnknownNameError string

// Error repeats the name.
func (e UnknownNameError) Error() string { return "unsupported transfer filter name: " + string(e) }

// Is reports whether target is [ErrUnsupported].
func (e UnknownNameError) Is(target error) bool { return target == ErrUnsupported }

// SizeError says that a payload is longer, unpacked, than the reader takes.
type SizeError struct {
	Limit int // in bytes
}

// Error names the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("payload exceeds %d bytes when unpacked", e.Limit)
}
