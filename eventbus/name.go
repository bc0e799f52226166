package eventbus

import (
	"fmt"
	"strings"
)

// Wildcard is the name whose listeners hear every event.
const Wildcard = "*"

// groupSuffix ends the names whose listeners hear a group of events.
const groupSuffix = ".*"

// eventName returns the name as the bus knows it. No event is called "*".
func eventName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if !validName(name) {
		return "", fmt.Errorf("eventbus: %w: %q", ErrName, name)
	}
	return name, nil
}

// listenedName is eventName for those who listen.
func listenedName(name string) (string, error) {
	if strings.TrimSpace(name) == Wildcard {
		return Wildcard, nil
	}
	return eventName(name)
}

// validName reports whether the name matches ^[a-zA-Z][\w\-.*]*$. It is by hand because it runs for each event that
// nobody listens to by name.
func validName(name string) bool {
	if name == "" || !isLetter(name[0]) {
		return false
	}
	for i := 1; i < len(name); i++ {
		c := name[i]
		if !isLetter(c) && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' && c != '*' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// groupOf returns what the names of a group have in common, "app." for "app.start" and for "app.*" itself; "" if the
// name is in no group.
func groupOf(name string) string { return name[:strings.LastIndexByte(name, '.')+1] }
