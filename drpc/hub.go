package drpc

import "sync"

// hub is the sessions that are up, by id.
type hub struct {
	mu   sync.RWMutex
	byID map[string]*session
}

func newHub() *hub { return &hub{byID: make(map[string]*session)} }

// add enters s under its id and returns the session that had it before, if any.
func (h *hub) add(s *session) (old *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.put(s, s.ID())
}

func (h *hub) put(s *session, id string) (old *session) {
	old = h.byID[id]
	h.byID[id] = s
	if old == s {
		return nil
	}
	return old
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
	return h.put(s, id)
}

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
