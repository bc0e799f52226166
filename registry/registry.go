package registry

import (
	"errors"
	"time"
)

// Registry is where nodes are written down and looked up.
type Registry interface {
	// Init changes options. What is registered stays registered.
	Init(...Option) error
	// Options returns the options as they are.
	Options() Options
	// Register adds the nodes of a service, or replaces those with the same id. Registries that can lose what they
	// hold put it back by themselves until Deregister, also when Register returned an error because they could not be
	// reached; one that returned ErrInvalidService is forgotten.
	Register(*Service, ...RegisterOption) error
	// Deregister removes the nodes of a service. Removing what is not there is no error.
	Deregister(*Service, ...DeregisterOption) error
	// GetService returns the nodes of a service, each version as a Service of its own, sorted by version; the nodes are
	// sorted by id. It returns ErrNotFound when there is no node, and any other error when that could not be found out.
	GetService(string, ...GetOption) ([]*Service, error)
	// ListServices returns all services, sorted by name and version. Registries that only know names leave the rest empty.
	ListServices(...ListOption) ([]*Service, error)
	// Watch reports what changes from when it returns.
	Watch(...WatchOption) (Watcher, error)
	// String returns the kind of the registry: "memory".
	String() string
}

// Watcher reports changes of the nodes of one service or of all. The first results are the nodes that are there
// already, as Create.
type Watcher interface {
	// Next waits for a change of one node. It returns ErrWatcherStopped after Stop and when the context of the watch is
	// done. Changes of a node that follow each other faster than Next is called become one, so that the first that is
	// heard of a node may be that it has gone.
	Next() (*Result, error)
	// Stop ends the watch. It may be called from any goroutine and more than once.
	Stop()
}

// Result is one change. Service has the one node that changed; after Delete it is the node as it was.
type Result struct {
	Action  EventType // what has happened to the node
	Service *Service  // with that node alone
}

var (
	// ErrNotFound means that the registry has no node of the service.
	ErrNotFound = errors.New("service not found")
	// ErrWatcherStopped means that the watch is over.
	ErrWatcherStopped = errors.New("watcher stopped")
	// ErrInvalidService means that a service cannot be registered: no name, no node, or a node without address.
	ErrInvalidService = errors.New("invalid service")
)

const (
	// DefaultRegisterInterval is how often a PluginRegistry registers again.
	DefaultRegisterInterval = 30 * time.Second
	// DefaultRegisterTTL is how long a node stays registered that is not heard of any more.
	DefaultRegisterTTL = 90 * time.Second
)

// EventType is the kind of a change.
type EventType int

const (
	// Create: the node is new.
	Create EventType = iota
	// Delete: the node has gone.
	Delete
	// Update: the node changed.
	Update
	// Override is not reported by the registries of this module.
	Override
)

var eventNames = [...]string{Create: "create", Delete: "delete", Update: "update", Override: "override"}

// String returns the name in lower case, "unknown" for others.
func (t EventType) String() string {
	if t < 0 || int(t) >= len(eventNames) {
		return "unknown"
	}
	return eventNames[t]
}

// Event is a change with an id and a time, for registries that keep a history.
type Event struct {
	Id        string    // of the change, as the registry counts
	Type      EventType // as the Action of a Result
	Timestamp time.Time // of the change
	Service   *Service  // as that of a Result
}
