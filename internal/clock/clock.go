// Package clock reads the monotonic clock for what is timed once a message.
//
// time.Now reads two clocks and makes 24 bytes of them; a [Time] is one reading and 8 bytes. All functions may be
// called concurrently.
package clock

import "time"

// epoch is what every Time counts from.
var epoch = time.Now()

// Time is a moment of this process, in nanoseconds since it started. The zero value is no moment that Now returns.
type Time int64

// Now returns the current moment.
func Now() Time { return Time(time.Since(epoch)) }

// Since returns the time that has passed since t.
func (t Time) Since() time.Duration { return Now().Sub(t) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Std returns t as the standard library knows it, with its monotonic reading.
func (t Time) Std() time.Time { return epoch.Add(time.Duration(t)) }
