//go:build unix && !linux

package process

const hasDeathSignal = false

func initProcess(string) {}
