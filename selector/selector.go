package selector

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/osgochina/dmicro/registry"
)

var (
	// ErrNotFound means that the registry knows no node of the service.
	ErrNotFound = errors.New("not found")
	// ErrNoneAvailable means that there are nodes, but the filters left none.
	ErrNoneAvailable = errors.New("none available")
)

// Selector chooses nodes.
type Selector interface {
	// Init changes options. What was known of the nodes is forgotten.
	Init(opts ...Option) error
	// Options returns the options as they are.
	Options() Options
	// Select looks the service up and returns a function that chooses a node each time it is called. The error is
	// ErrNotFound, ErrNoneAvailable, or that of the registry.
	Select(service string, opts ...SelectOption) (Next, error)
	// Mark tells how a call to a node went: nil if well. After an error that is ErrUnreachable, or that a dial returned, the
	// node is left out at once.
	Mark(service string, node *registry.Node, err error)
	// Reset forgets what Mark told about the nodes of a service.
	Reset(service string)
	// Close ends the watches of the registry. The selector may be used on; it will be slow.
	Close() error
	// String returns "selector".
	String() string
}

// Next chooses a node. The node is shared and must not be changed. The error is ErrNoneAvailable.
type Next func() (*registry.Node, error)

// Filter returns the services that may be chosen from. It may change the services it is given and their Nodes, but not
// the nodes and the metadata.
type Filter func([]*registry.Service) []*registry.Service

// Strategy is a way of choosing that knows nothing but the list. A Balancer knows more and costs less.
type Strategy func([]*registry.Service) Next

// Options are the settings of a selector.
type Options struct {
	Registry registry.Registry // where nodes are looked up; registry.DefaultRegistry if nil
	Strategy Strategy          // of Select; the Balancer if nil
	Balancer Balancer          // of Pick, and of Select without a Strategy; LeastLoad if nil
	Filters  []Filter          // for all choices
	Health   Health
	TTL      time.Duration // how often a service is looked up though it is watched, 1 minute if 0
	Context  context.Context
}

// SelectOptions are the settings of one Select.
type SelectOptions struct {
	Filters  []Filter // after those of the selector
	Strategy Strategy // instead of that of the selector
	Context  context.Context
}

// Option changes one setting.
type Option func(*Options)

// SelectOption changes one setting of one Select.
type SelectOption func(*SelectOptions)

// OptRegistry sets where nodes are looked up.
func OptRegistry(r registry.Registry) Option {
	return func(o *Options) { o.Registry = r }
}

// OptStrategy sets how Select chooses.
func OptStrategy(fn Strategy) Option {
	return func(o *Options) { o.Strategy = fn }
}

// OptBalancer sets how nodes are chosen.
func OptBalancer(b Balancer) Option {
	return func(o *Options) { o.Balancer = b }
}

// OptFilter adds filters for all choices. They run when the list of nodes changes, not for each choice.
func OptFilter(fn ...Filter) Option {
	return func(o *Options) { o.Filters = append(o.Filters[:len(o.Filters):len(o.Filters)], fn...) }
}

// OptHealth sets when nodes are left out and how new ones are treated.
func OptHealth(h Health) Option {
	return func(o *Options) { o.Health = h }
}

// OptTTL sets how often a service is looked up though it is watched.
func OptTTL(d time.Duration) Option {
	return func(o *Options) { o.TTL = d }
}

// OptWithFilter adds filters.
func OptWithFilter(fn ...Filter) SelectOption {
	return func(o *SelectOptions) { o.Filters = append(o.Filters, fn...) }
}

// OptWithStrategy sets how to choose this time.
func OptWithStrategy(fn Strategy) SelectOption {
	return func(o *SelectOptions) { o.Strategy = fn }
}

// Random is the Strategy that chooses among all nodes of all services with equal chances.
func Random(services []*registry.Service) Next {
	var nodes []*registry.Node
	for _, s := range services {
		nodes = append(nodes, s.Nodes...)
	}
	return func() (*registry.Node, error) {
		if len(nodes) == 0 {
			return nil, ErrNoneAvailable
		}
		return nodes[rand.IntN(len(nodes))], nil
	}
}
