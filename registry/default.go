package registry

// DefaultRegistry is what is used where no registry is given: multicast DNS. Set it before anything uses it.
var DefaultRegistry = NewRegistry()

// Register registers with DefaultRegistry.
func Register(s *Service, opts ...RegisterOption) error { return DefaultRegistry.Register(s, opts...) }

// Deregister deregisters from DefaultRegistry.
func Deregister(s *Service, opts ...DeregisterOption) error {
	return DefaultRegistry.Deregister(s, opts...)
}

// GetService looks a service up in DefaultRegistry.
func GetService(name string) ([]*Service, error) { return DefaultRegistry.GetService(name) }

// ListServices lists the services of DefaultRegistry.
func ListServices() ([]*Service, error) { return DefaultRegistry.ListServices() }

// Watch watches DefaultRegistry.
func Watch(opts ...WatchOption) (Watcher, error) { return DefaultRegistry.Watch(opts...) }

// String returns the kind of DefaultRegistry.
func String() string { return DefaultRegistry.String() }
