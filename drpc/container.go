package drpc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// PluginContainer holds the plugins of an endpoint in the order in which their hooks run: those of AppendLeft, those
// given to NewEndpoint, those of the groups from the outermost in, those of the handler, those of AppendRight. What is
// added or removed later counts for existing routes too. Safe for concurrent use.
type PluginContainer struct {
	root   *PluginContainer // itself for the container of an endpoint
	parent *PluginContainer
	middle []Plugin

	// Only the root uses these; mu guards the lists of the whole tree.
	mu          sync.Mutex
	left, right []Plugin
	derived     []*PluginContainer
	err         error // the first mistake, which fails the making of the endpoint

	set atomic.Pointer[hookSet]
}

func newPluginContainer() *PluginContainer {
	c := new(PluginContainer)
	c.root = c
	c.set.Store(new(hookSet))
	return c
}

// hooks returns the sorted hooks. They never change; a container that changes gets new ones.
func (c *PluginContainer) hooks() *hookSet { return c.set.Load() }

// AppendLeft puts plugins before all others, keeping their order. A nil plugin or one whose name is taken is refused:
// while the endpoint is being made that fails the making, later it is logged.
func (c *PluginContainer) AppendLeft(plugins ...Plugin) {
	c.report(c.root.insert(func(r *PluginContainer, p []Plugin) { r.left = slices.Concat(p, r.left) }, plugins))
}

// AppendRight puts plugins behind all others; see AppendLeft.
func (c *PluginContainer) AppendRight(plugins ...Plugin) {
	c.report(c.root.insert(func(r *PluginContainer, p []Plugin) { r.right = slices.Concat(r.right, p) }, plugins))
}

func (c *PluginContainer) insert(put func(*PluginContainer, []Plugin), plugins []Plugin) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := checkPlugins(c.list(), plugins); err != nil {
		return err
	}
	for _, d := range c.derived { // what is added here runs for them too
		if err := checkPlugins(d.middle, plugins); err != nil {
			return err
		}
	}
	put(c, plugins)
	c.rebuild()
	return nil
}

func (c *PluginContainer) report(err error) {
	if err == nil {
		return
	}
	logErrorf("%v; it is ignored", err)
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	if c.root.err == nil {
		c.root.err = err
	}
}

func (c *PluginContainer) firstError() error {
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	return c.root.err
}

// derive makes the container of a group or a handler inside c.
func (c *PluginContainer) derive(plugins []Plugin) (*PluginContainer, error) {
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	if err := checkPlugins(c.list(), plugins); err != nil {
		return nil, err
	}
	for _, p := range plugins {
		if err := checkRouteScope(p); err != nil {
			return nil, err
		}
	}
	d := &PluginContainer{root: c.root, parent: c, middle: slices.Clone(plugins)}
	d.set.Store(newHookSet(d.list()))
	c.root.derived = append(c.root.derived, d)
	return d, nil
}

// drop forgets a derived container whose handler could not be registered.
func (c *PluginContainer) drop() {
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	c.root.derived = slices.DeleteFunc(c.root.derived, func(d *PluginContainer) bool { return d == c })
}

// Remove removes the plugin with this name from wherever it was added: the endpoint, a group or a handler. It returns
// an error if there is none.
func (c *PluginContainer) Remove(pluginName string) error {
	r := c.root
	r.mu.Lock()
	defer r.mu.Unlock()
	named := func(p Plugin) bool { return p.Name() == pluginName }
	removed := false
	for _, d := range append([]*PluginContainer{r}, r.derived...) {
		for _, list := range []*[]Plugin{&d.left, &d.middle, &d.right} {
			// A new slice each time: hook sets and callers of GetAll hold the old one.
			kept := slices.DeleteFunc(slices.Clone(*list), named)
			removed = removed || len(kept) < len(*list)
			*list = kept
		}
	}
	if !removed {
		return fmt.Errorf("there is no plugin named %q", pluginName)
	}
	r.rebuild()
	return nil
}

// GetByName returns the plugin with this name, nil if there is none.
func (c *PluginContainer) GetByName(pluginName string) Plugin {
	for _, p := range c.GetAll() {
		if p.Name() == pluginName {
			return p
		}
	}
	return nil
}

// GetAll returns the plugins in the order in which their hooks run. The slice is the caller's.
func (c *PluginContainer) GetAll() []Plugin {
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	return c.list()
}

// list puts the plugins of c together; the caller holds the lock.
func (c *PluginContainer) list() []Plugin {
	var inner []Plugin
	for d := c; d != c.root; d = d.parent {
		inner = slices.Concat(d.middle, inner)
	}
	return slices.Concat(c.root.left, c.root.middle, inner, c.root.right)
}

// rebuild sorts the hooks of the whole tree anew; the caller holds the lock.
func (c *PluginContainer) rebuild() {
	c.set.Store(newHookSet(c.list()))
	for _, d := range c.derived {
		d.set.Store(newHookSet(d.list()))
	}
}

//lint:ignore ST1005 the text that programs and their tests know
var errNilPlugin = errors.New("plugin cannot be nil!")

func checkPlugins(have, plugins []Plugin) error {
	names := make(map[string]bool, len(have)+len(plugins))
	for _, p := range have {
		names[p.Name()] = true
	}
	for _, p := range plugins {
		if p == nil {
			return errNilPlugin
		}
		if names[p.Name()] {
			return fmt.Errorf("repeat add plugin: %s", p.Name())
		}
		names[p.Name()] = true
	}
	return nil
}

// checkRouteScope refuses a plugin for a group or handler if none of its hooks would ever run there.
func checkRouteScope(p Plugin) error {
	var never []string
	for _, kind := range hooksOf(p) {
		if hookTable[kind].scope == routeScope {
			return nil
		}
		never = append(never, kind.String())
	}
	if len(never) == 0 {
		return nil // no hooks at all: a marker that its owner looks up by name
	}
	return fmt.Errorf("plugin %s has only hooks that run for the whole endpoint (%s): add it to the endpoint, not to a route",
		p.Name(), strings.Join(never, ", "))
}
