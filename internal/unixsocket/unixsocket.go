// Package unixsocket binds unix sockets whose files are their owner's alone, over what a dead process left, and removes
// nobody else's; and it dials from sockets with a name. Its functions may be called concurrently, by several processes too.
package unixsocket

import "runtime"

// IsAbstract reports whether a path is that of a socket without a file: Linux has names in a space of their own.
func IsAbstract(path string) bool {
	return path == "" || runtime.GOOS == "linux" && (path[0] == '@' || path[0] == 0)
}
