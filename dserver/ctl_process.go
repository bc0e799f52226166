package dserver

import "strconv"

// generation is 1 for a process that inherited nothing, and one more with each reload; for a worker it counts those of its
// service, also after crashes.
func (s *DServer) generation() int {
	if s.up == nil {
		return 1
	}
	if n, err := strconv.Atoi(s.up.Value(valueNumber)); err == nil {
		return n
	}
	return s.up.Generation()
}

// workerOf is the service of a worker, "" for other processes.
func (s *DServer) workerOf() string {
	if s.role != roleWorker {
		return ""
	}
	return s.up.Value(valueService)
}
