package dserver

// defaultService holds the sandboxes that were added without naming a service.
const defaultService = "default"

// DService is a named group of sandboxes. With many processes each service is
// a process of its own; in a single process it is a name only.
type DService struct {
	name   string
	server *DServer
}

// Name returns the name of the service.
func (s *DService) Name() string { return s.name }

// SearchSandBox returns the sandbox called name, if this service holds it.
func (s *DService) SearchSandBox(name string) (ISandbox, bool) {
	u := s.server.unit(name)
	if u == nil || u.service != s {
		return nil, false
	}
	return u.sandbox, true
}
