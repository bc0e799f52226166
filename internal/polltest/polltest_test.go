package polltest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a test that keeps its failure to itself.
type recorder struct {
	testing.TB
	failure string
}

func (*recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failureOf is the text with which the wait fails, empty if it does not.
func failureOf(wait func(t testing.TB)) string {
	r := &recorder{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wait(r)
	}()
	<-ended
	return r.failure
}

func TestUntilReturnsAsSoonAsTheConditionHolds(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, 2, 100} {
		synctest.Test(t, func(t *testing.T) {
			begin, asked := time.Now(), 0
			Until(t, "enough questions", func() bool { asked++; return asked == after })
			if took := time.Since(begin); asked != after || took > time.Duration(after)*lastPause {
				t.Errorf("asked %d times in %v, want %d", asked, took, after)
			}
		})
	}
}

func TestReceiveReturnsWhatIsDeliveredOrThatTheChannelIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int)
		go func() {
			time.Sleep(Patience / 2)
			c <- 7
			close(c)
		}()
		if v := Receive(t, "a delivery", c); v != 7 {
			t.Errorf("received %d", v)
		}
		if v := Receive(t, "an end", c); v != 0 {
			t.Errorf("received %d from a closed channel", v)
		}
	})
}

func TestAWaitThatFailsSaysForWhatAndWhatTheGoroutinesDo(t *testing.T) {
	t.Parallel()
	waits := map[string]func(testing.TB){
		"Until":   func(t testing.TB) { Until(t, "the impossible", func() bool { return false }) },
		"Receive": func(t testing.TB) { Receive(t, "the impossible", make(chan int)) },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				text := failureOf(wait)
				if took := time.Since(begin); took < Patience || took > Patience+2*lastPause {
					t.Errorf("failed after %v, want %v", took, Patience)
				}
				if !strings.HasPrefix(text, "never happened: the impossible\n") || !strings.Contains(text, "failureOf") {
					t.Errorf("failed with %q", text)
				}
			})
		})
	}
}
