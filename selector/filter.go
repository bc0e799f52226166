package selector

import (
	"slices"

	"github.com/osgochina/dmicro/registry"
)

// FilterVersion keeps the services of this version.
func FilterVersion(version string) Filter {
	return func(services []*registry.Service) []*registry.Service {
		return slices.DeleteFunc(services, func(s *registry.Service) bool { return s.Version != version })
	}
}

// FilterLabel keeps the nodes whose metadata, or those of their service, have this value.
func FilterLabel(key, value string) Filter {
	return filterNodes(func(s *registry.Service, n *registry.Node) bool {
		if v, has := n.Metadata[key]; has {
			return v == value
		}
		v, has := s.Metadata[key]
		return has && v == value
	})
}

// FilterEndpoint keeps the nodes that serve this service method, such as "/math/add", and those that do not say what
// they serve.
func FilterEndpoint(serviceMethod string) Filter {
	return filterNodes(func(_ *registry.Service, n *registry.Node) bool {
		return len(n.Paths) == 0 || slices.Contains(n.Paths, serviceMethod)
	})
}

func filterNodes(keep func(*registry.Service, *registry.Node) bool) Filter {
	return func(services []*registry.Service) []*registry.Service {
		for _, s := range services {
			s.Nodes = slices.DeleteFunc(s.Nodes, func(n *registry.Node) bool { return !keep(s, n) })
		}
		return slices.DeleteFunc(services, func(s *registry.Service) bool { return len(s.Nodes) == 0 })
	}
}

// filtered applies filters to copies of the services.
func filtered(services []*registry.Service, filters []Filter) []*registry.Service {
	if len(filters) == 0 {
		return services
	}
	out := make([]*registry.Service, len(services))
	for i, s := range services {
		c := *s
		c.Nodes = slices.Clone(s.Nodes)
		out[i] = &c
	}
	for _, f := range filters {
		out = f(out)
	}
	return out
}
