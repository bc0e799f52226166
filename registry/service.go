package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Service is the nodes that serve one version of a service. The JSON form is what registries outside the process hold.
type Service struct {
	Name     string            `json:"name"`     // under which it is looked up
	Version  string            `json:"version"`  // any text; two versions are two services of one name
	Metadata map[string]string `json:"metadata"` // labels of all nodes, for programs
	Nodes    []*Node           `json:"nodes"`    // in no particular order
}

// Node is one server.
type Node struct {
	Id       string            `json:"id"`       // unique within the service; the address if empty
	Address  string            `json:"address"`  // what a client dials: "10.0.0.7:9091"
	Paths    []string          `json:"paths"`    // service methods, if known
	Metadata map[string]string `json:"metadata"` // labels; selectors read "weight"
}

// Clone returns a copy that shares nothing. The copy of nil is nil.
func (s *Service) Clone() *Service {
	if s == nil {
		return nil
	}
	c := *s
	c.Metadata = maps.Clone(s.Metadata)
	c.Nodes = make([]*Node, 0, len(s.Nodes))
	for _, n := range s.Nodes {
		if n != nil {
			c.Nodes = append(c.Nodes, n.Clone())
		}
	}
	return &c
}

// Clone returns a copy that shares nothing. The copy of nil is nil.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Paths = slices.Clone(n.Paths)
	c.Metadata = maps.Clone(n.Metadata)
	return &c
}

// Equal reports whether both say the same.
func (n *Node) Equal(o *Node) bool {
	return n == o || n != nil && o != nil && n.Id == o.Id && n.Address == o.Address && slices.Equal(n.Paths, o.Paths) &&
		maps.Equal(n.Metadata, o.Metadata)
}

// Equal reports whether both say the same.
func (s *Service) Equal(o *Service) bool {
	return s == o || s != nil && o != nil && s.Name == o.Name && s.Version == o.Version && maps.Equal(s.Metadata, o.Metadata) &&
		slices.EqualFunc(s.Nodes, o.Nodes, (*Node).Equal)
}

// Valid returns a copy of s that can be registered: nodes without an id have their address as id. The error is an
// ErrInvalidService that says what is missing. Registries call it first in Register and Deregister.
func (s *Service) Valid() (*Service, error) {
	switch {
	case s == nil:
		return nil, fmt.Errorf("%w: nil", ErrInvalidService)
	case s.Name == "":
		return nil, fmt.Errorf("%w: no name", ErrInvalidService)
	}
	c := s.Clone()
	if len(c.Nodes) == 0 {
		return nil, fmt.Errorf("%w: %s has no node", ErrInvalidService, s.Name)
	}
	for _, n := range c.Nodes {
		if n.Address == "" {
			return nil, fmt.Errorf("%w: a node of %s has no address", ErrInvalidService, s.Name)
		}
		if n.Id == "" {
			n.Id = n.Address
		}
	}
	return c, nil
}

// Merge puts services of equal name and version together, in the order that GetService and ListServices promise. Of
// nodes with equal ids the last one counts, and so does the metadata of the last service. It changes nothing that it
// is given, but the result shares the nodes.
func Merge(services []*Service) []*Service {
	type key struct{ name, version string }
	merged := make(map[key]*Service)
	at := make(map[nodeKey]int)
	for _, s := range services {
		if s == nil {
			continue
		}
		k := key{s.Name, s.Version}
		m := merged[k]
		if m == nil {
			m = &Service{Name: s.Name, Version: s.Version}
			merged[k] = m
		}
		m.Metadata = s.Metadata
		for _, n := range s.Nodes {
			if n == nil {
				continue
			}
			nk := nodeKey{s.Name, s.Version, n.Id}
			if i, known := at[nk]; known {
				m.Nodes[i] = n
				continue
			}
			at[nk] = len(m.Nodes)
			m.Nodes = append(m.Nodes, n)
		}
	}
	out := slices.Collect(maps.Values(merged))
	for _, s := range out {
		slices.SortFunc(s.Nodes, func(a, b *Node) int { return cmp.Compare(a.Id, b.Id) })
	}
	slices.SortFunc(out, func(a, b *Service) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return out
}

// nodeKey is what a node is known by.
type nodeKey struct{ name, version, id string }

func (k nodeKey) compare(o nodeKey) int {
	return cmp.Or(cmp.Compare(k.name, o.name), cmp.Compare(k.version, o.version), cmp.Compare(k.id, o.id))
}
