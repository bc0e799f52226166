package selector_test

import (
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

// Programs written for DMicro 1.x compile against these names with these types.
var (
	_ error                                             = selector.ErrNotFound
	_ error                                             = selector.ErrNoneAvailable
	_ func(opts ...selector.Option) selector.Selector   = selector.NewSelector
	_ func(r registry.Registry) selector.Option         = selector.OptRegistry
	_ func(fn selector.Strategy) selector.Option        = selector.OptStrategy
	_ func(fn ...selector.Filter) selector.SelectOption = selector.OptWithFilter
	_ func(fn selector.Strategy) selector.SelectOption  = selector.OptWithStrategy
	_ func(services []*registry.Service) selector.Next  = selector.Random
	_ selector.Strategy                                 = selector.Random
	_ func([]*registry.Service) []*registry.Service     = selector.Filter(nil)
	_ func() (*registry.Node, error)                    = selector.Next(nil)
	_                                                   = selector.Options{Registry: nil, Strategy: nil, Context: nil}
	_                                                   = selector.SelectOptions{Filters: nil, Strategy: nil, Context: nil}
)
