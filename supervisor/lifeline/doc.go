// Package lifeline lets a program and its supervisor notice each other's end.
//
// The supervisor makes a Line, which is a pair of connected sockets, and gives one end to the program that it starts. The
// system closes the other end when the supervisor dies, whatever of, and the program, which has called Join, knows at
// once. If the supervisor asks for it the program sends a beat now and then; when the beats stop, although the program
// still exists, it is frozen.
//
// A program needs one line:
//
//	gone, err := lifeline.Join(ctx) // err is ErrNotSupervised when it was started by hand
//
// A Line is used by one goroutine at a time, Beats by any. Where there are no socket pairs all functions return an error that
// wraps errors.ErrUnsupported.
package lifeline
