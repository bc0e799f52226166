package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTimePassesAsForTheStandardLibrary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := Now()
		time.Sleep(time.Hour)
		if d := from.Since(); d != time.Hour {
			t.Errorf("an hour took %v", d)
		}
		if d := Now().Sub(from); d != time.Hour {
			t.Errorf("an hour took %v", d)
		}
		if d := time.Since(from.Std()); d != time.Hour {
			t.Errorf("an hour took %v by the standard library", d)
		}
	})
}

func TestNowIsNow(t *testing.T) {
	t.Parallel()
	before := time.Now()
	got := Now().Std()
	if after := time.Now(); got.Before(before) || got.After(after) {
		t.Errorf("%v is not between %v and %v", got, before, after)
	}
}
