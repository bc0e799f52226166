package eventbus

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// list is the listeners of one name.
type list struct {
	added []registration // in the order of registration, changed in place
	order []registration // in the order they run, never changed; nil when it has to be made anew
}

// view is what publishing reads: a bus as it was at one moment, never changed.
type view struct {
	exact  map[string][]registration // by the name that was listened to, groups and "*" included
	groups map[string][]registration // those of "app.*" by "app."
	all    []registration            // those of "*"
	events map[string]IEvent
}

// chain is the listeners of one event: those of its name, of its group, and of "*".
type chain [3][]registration

func (c *chain) empty() bool { return len(c[0])+len(c[1])+len(c[2]) == 0 }

// resolve returns the name of an event as the bus knows it and who listens to it.
func (v *view) resolve(name string) (string, chain, error) {
	c := chain{2: v.all}
	name = strings.TrimSpace(name)
	if rs, ok := v.exact[name]; ok && name != Wildcard {
		c[0] = rs // somebody listens to it, so it was checked
	} else if _, err := eventName(name); err != nil {
		return "", chain{}, err
	}
	// An event that is itself called app.* has those listeners already.
	if len(v.groups) > 0 && !strings.HasSuffix(name, groupSuffix) {
		c[1] = v.groups[groupOf(name)]
	}
	return name, c, nil
}

// view returns the bus as it is. It is made by the first who asks after a change: many listeners are registered in
// a row, so making it for each would take time quadratic in their number.
func (b *EventBus) view() *view {
	if v := b.current.Load(); v != nil {
		return v
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &view{
		exact:  make(map[string][]registration, len(b.lists)),
		groups: make(map[string][]registration),
		events: maps.Clone(b.events),
	}
	for name, l := range b.lists {
		if l.order == nil {
			l.order = slices.Clone(l.added)
			slices.SortStableFunc(l.order, func(a, b registration) int { return cmp.Compare(b.priority, a.priority) })
		}
		v.exact[name] = l.order
		if strings.HasSuffix(name, groupSuffix) {
			v.groups[groupOf(name)] = l.order
		}
	}
	v.all = v.exact[Wildcard]
	b.current.Store(v)
	return v
}

// change runs f, which may change lists and events, and makes what it did visible.
func (b *EventBus) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.current.Store(nil)
}

// add registers a listener; for use in change.
func (b *EventBus) add(name string, r registration) {
	l := b.lists[name]
	if l == nil {
		l = new(list)
		b.lists[name] = l
	}
	l.added = append(l.added, r)
	l.order = nil
}

// drop removes the listeners of a name that match, and the name with its last listener; for use in change.
func (b *EventBus) drop(name string, match func(registration) bool) {
	l := b.lists[name]
	if l == nil {
		return
	}
	before := len(l.added)
	l.added = slices.DeleteFunc(l.added, match)
	switch len(l.added) {
	case before:
	case 0:
		delete(b.lists, name)
	default:
		l.order = nil
	}
}

// dropAll is drop for every name.
func (b *EventBus) dropAll(match func(registration) bool) {
	for name := range b.lists {
		b.drop(name, match)
	}
}
