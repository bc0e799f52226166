// Package codec turns the body of a message into bytes and back.
//
// A codec has a byte id, which travels in the frame, and a name, which stands
// in settings. Registered from the start are
//
//	'j' json      encoding/json, the default for bodies
//	's' plain     text of strings, bytes, numbers and bools
//	'p' protobuf  google.golang.org/protobuf
//	'f' form      application/x-www-form-urlencoded
//	'x' xml       encoding/xml
//
// and [Reg] adds others, best from an init function. A body that is a []byte
// never comes here: it is sent and stored as it is.
//
// # Concurrency
//
// Every function of this package and every codec in it may be used by any
// number of goroutines at once, [Reg] included. Looking up a codec takes no
// lock.
package codec
