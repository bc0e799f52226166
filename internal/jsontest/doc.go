// Package jsontest holds an implementation of JSON against encoding/json.
//
// The body codec promises the bytes, the values and the errors of encoding/json. This package has Go types, values and
// inputs chosen for where implementations are known to part, compares every pair of target and input, and names what
// differs. The codec is tested with it, and so are the libraries that were weighed for the codec.
//
// # Concurrency
//
// Cases are independent: they may run at once, and each makes the values that it works on.
package jsontest
