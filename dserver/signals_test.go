package dserver

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestSignalThatComesTwiceAtOnceIsOneRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		queue []os.Signal
		want  os.Signal
		took  time.Duration
	}{
		{"alone", nil, nil, echoTime},
		{"the same again", []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, nil, echoTime},
		{"one that asks for something else", []os.Signal{syscall.SIGHUP}, nil, echoTime},
		{"another that asks for the same", []os.Signal{syscall.SIGTERM, os.Interrupt}, os.Interrupt, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, len(tt.queue))
				for _, sig := range tt.queue {
					signals <- sig
				}
				began := time.Now()
				got := skipEcho(signals, syscall.SIGTERM)
				if took := time.Since(began); got != tt.want || took != tt.took {
					t.Errorf("%v after %v, want %v after %v", got, took, tt.want, tt.took)
				}
			})
		})
	}
}
