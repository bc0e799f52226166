// Package status is the outcome of an operation between two peers: a code, a
// message for people, and an optional cause.
//
// A nil *Status means success. Functions that can fail return *Status instead
// of error, so that the code survives the journey over the wire; a caller
// compares with nil, or asks OK:
//
//	if stat := sess.Push("/chat/say", text); !stat.OK() {
//		log.Print(stat)
//	}
//
// A *Status is deliberately not an error: a nil *Status stored in an error
// variable would not compare equal to nil. Use [Status.Cause] where an error is
// wanted; it keeps the original error, so errors.Is and errors.As see through it.
//
// # Concurrency
//
// A Status has no lock. Any number of goroutines may read one at once; the
// methods that change it (the Set methods, Clear, TagStack, UnmarshalJSON) need
// exclusive use. A Status kept in a package variable is shared by everybody and
// must never be changed: derive a new one with [Status.Copy].
package status
