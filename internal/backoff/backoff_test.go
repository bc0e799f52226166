package backoff

import (
	"testing"
	"time"
)

func TestPausesDoubleUpToTheLastAndBeginAnew(t *testing.T) {
	t.Parallel()
	s := Series{First: time.Second, Last: 5 * time.Second}
	for range 2 {
		for i, whole := range []time.Duration{1, 2, 4, 5, 5} {
			if got, most := s.Next(), whole*time.Second; got > most || got < most*3/4 {
				t.Errorf("pause %d is %v, want between three quarters of %v and that", i, got, most)
			}
		}
		s.Reset()
	}
}

func TestJitterIsNotTheSameForAll(t *testing.T) {
	t.Parallel()
	seen := make(map[time.Duration]bool)
	for range 1000 {
		d := Jitter(time.Hour)
		if d > time.Hour || d < 45*time.Minute {
			t.Fatalf("an hour with jitter is %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different pauses of 1000", len(seen))
	}
	if d := Jitter(0); d != 0 {
		t.Errorf("no pause with jitter is %v", d)
	}
}
