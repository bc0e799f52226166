package metrics

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// The format of this test is "counter gauge".
func init() {
	RegisterMerger("pair", func(live, gone [][]byte) ([]byte, error) {
		var counter, gauge int
		for i, snapshot := range append(append([][]byte{}, live...), gone...) {
			c, g, _ := strings.Cut(string(snapshot), " ")
			n, err := strconv.Atoi(c)
			if err != nil {
				return nil, err
			}
			counter += n
			if n, err = strconv.Atoi(g); err != nil {
				return nil, err
			}
			if i < len(live) {
				gauge += n
			}
		}
		return fmt.Appendf(nil, "%d %d", counter, gauge), nil
	})
}

func TestSumKeepsWhatProcessesCountedThatAreGone(t *testing.T) {
	t.Parallel()
	sum, err := NewSum("pair")
	if err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		if got, err := sum.Snapshot(context.Background()); err != nil || string(got) != want {
			t.Errorf("the sum is %q, %v; want %q", got, err, want)
		}
	}
	is("0 0")
	sum.Set("a", []byte("10 1"))
	sum.Set("b", []byte("20 2"))
	is("30 3")
	sum.Set("a", []byte("11 0"))
	is("31 2")
	for range 2 { // a process goes once
		if err := sum.Drop("b"); err != nil {
			t.Error(err)
		}
		is("31 0")
	}
	sum.Set("b", []byte("1 5"))
	is("32 5")
	for _, name := range []string{"a", "b", "c"} {
		if err := sum.Drop(name); err != nil {
			t.Error(err)
		}
	}
	is("32 0")
	sum.Set("broken", []byte("x"))
	if _, err := sum.Snapshot(context.Background()); err == nil {
		t.Error("unreadable figures are added up")
	}
	if err := sum.Drop("broken"); !errors.Is(err, strconv.ErrSyntax) || !strings.Contains(err.Error(), "broken") {
		t.Errorf("unreadable figures are kept: %v", err)
	}
	is("32 0")
}

func TestSumNeedsAMerger(t *testing.T) {
	t.Parallel()
	if _, err := NewSum("of no format"); err == nil {
		t.Error("a sum without merger")
	}
	defer func() {
		if recover() == nil {
			t.Error("a second merger of a format was taken")
		}
	}()
	RegisterMerger("pair", nil)
}
