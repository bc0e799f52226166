package eventbus

import (
	"cmp"
	"slices"
)

// ListenerItem is a listener with its priority.
type ListenerItem struct {
	Priority int          // listeners with more of it are called first
	Listener BaseListener // what is called
}

// NewListenerItem returns a listener with its priority.
func NewListenerItem(listener BaseListener, priority int) *ListenerItem {
	return &ListenerItem{Priority: priority, Listener: listener}
}

// ListenerQueue is a list of listeners in the order they run. Those that a bus hands out are copies; changing them
// changes nothing on the bus. A nil queue is empty. It needs exclusive use while it is changed.
type ListenerQueue struct {
	items []*ListenerItem
}

// Len returns the number of listeners.
func (q *ListenerQueue) Len() int {
	if q == nil {
		return 0
	}
	return len(q.items)
}

// IsEmpty reports whether there is no listener.
func (q *ListenerQueue) IsEmpty() bool { return q.Len() == 0 }

// Add puts a listener behind those of the same or a higher priority.
func (q *ListenerQueue) Add(item *ListenerItem) {
	q.items = append(q.items, item)
	slices.SortStableFunc(q.items, func(a, b *ListenerItem) int { return cmp.Compare(b.Priority, a.Priority) })
}

// Items returns the listeners in a slice of the caller's.
func (q *ListenerQueue) Items() []*ListenerItem {
	if q == nil {
		return nil
	}
	return slices.Clone(q.items)
}

// Remove takes a listener out, wherever it is in the queue.
func (q *ListenerQueue) Remove(listener BaseListener) {
	q.items = slices.DeleteFunc(q.items, func(it *ListenerItem) bool { return same(it.Listener, listener) })
}

// Clear takes all listeners out.
func (q *ListenerQueue) Clear() { q.items = nil }

// queueOf shows registrations, nil if there are none.
func queueOf(rs []registration) *ListenerQueue {
	if len(rs) == 0 {
		return nil
	}
	q := &ListenerQueue{items: make([]*ListenerItem, len(rs))}
	for i, r := range rs {
		q.items[i] = NewListenerItem(r.listener, r.priority)
	}
	return q
}
