// Package util has helpers for lists of services. They are functions; use them from any goroutine.
package util

import "github.com/osgochina/dmicro/registry"

// Copy returns a deep copy of a list.
func Copy(current []*registry.Service) []*registry.Service {
	services := make([]*registry.Service, len(current))
	for i, s := range current {
		services[i] = s.Clone()
	}
	return services
}

// CopyService returns a deep copy, nil of nil.
func CopyService(service *registry.Service) *registry.Service { return service.Clone() }
