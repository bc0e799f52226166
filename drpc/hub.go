package drpc

import (
	"net"
	"sync"
	"sync/atomic"
)

// hub is the sessions that are up, by id.
type hub struct {
	mu   sync.RWMutex
	byID map[string]*session
}

func newHub() *hub { return &hub{byID: make(map[string]*session)} }

// add enters s under its id and returns the session that had it before, if any. returns says that s was in the hub
// before: a session that took the id meanwhile is the newer one, and stays. Then s is not entered, and ok is false.
func (h *hub) add(s *session, returns bool) (old *session, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := s.ID()
	old = h.byID[id]
	if old == s {
		return nil, true
	}
	if old != nil && id == s.addrID {
		// Nobody has chosen this name, so it takes nothing over: an endpoint that dials itself has two sessions with
		// the same address, and so have connections whose addresses say nothing.
		id = numbered(id)
		s.addrID = id
		s.id.Store(&id)
		old = nil
	}
	if old != nil && returns {
		return nil, false
	}
	h.byID[id] = s
	return old, true
}

// rename gives s a new id. Only a session that is in the hub is moved in it. It returns the session that had the id
// before, if any.
func (h *hub) rename(s *session, id string) (old *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := s.ID()
	s.id.Store(&id)
	if h.byID[was] != s {
		return nil
	}
	delete(h.byID, was)
	old = h.byID[id]
	h.byID[id] = s
	return old
}

// nameAfter gives s the id of an address, unless SetID has given it another one.
func (h *hub) nameAfter(s *session, addr net.Addr) {
	id := addr.String()
	if id == "" || id == "@" { // sockets without an address, such as unix clients
		id = numbered(addr.Network())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	was := s.ID()
	if was != s.addrID {
		return
	}
	if h.byID[was] == s {
		if h.byID[id] != nil {
			id = numbered(id)
		}
		delete(h.byID, was)
		h.byID[id] = s
	}
	s.addrID = id
	s.id.Store(&id)
}

var anonymous atomic.Uint64

// numbered makes a name unique.
func numbered(name string) string { return name + "#" + decimal(anonymous.Add(1)) }

// remove takes s out. A session that took its id over stays.
func (h *hub) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id := s.ID(); h.byID[id] == s {
		delete(h.byID, id)
	}
}

func (h *hub) get(id string) *session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.byID[id]
}

func (h *hub) len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.byID)
}

// all returns the sessions as they are now, so that a walk over them holds no lock.
func (h *hub) all() []*session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*session, 0, len(h.byID))
	for _, s := range h.byID {
		list = append(list, s)
	}
	return list
}
