package dserver

// generation is 1 for a process that inherited nothing, and one more with each reload.
func (s *DServer) generation() int {
	if s.up == nil {
		return 1
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
