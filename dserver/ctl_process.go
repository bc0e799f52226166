package dserver

func (s *DServer) generation() int  { return 1 }
func (s *DServer) workerOf() string { return "" }
