package status_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/status"
)

func top(t *testing.T, st status.StackTrace) string {
	t.Helper()
	if len(st) == 0 {
		t.Fatal("the stack is empty")
	}
	return fmt.Sprintf("%n", st[0])
}

// caller stands between a test and what it calls, to have a frame to skip.
//
//go:noinline
func caller[T any](f func() T) T { return f() }

func TestStackBeginsWithTheCaller(t *testing.T) {
	t.Parallel()
	const self = "TestStackBeginsWithTheCaller"
	if got := top(t, status.GetStackTrace(0)); got != self {
		t.Errorf("GetStackTrace(0) begins with %s", got)
	}
	if got := top(t, status.NewWithStack(1, "m").StackTrace()); got != self {
		t.Errorf("NewWithStack begins with %s", got)
	}
	if got := top(t, new(status.Status).TagStack().StackTrace()); got != self {
		t.Errorf("TagStack() begins with %s", got)
	}
	// Two frames up from inside the function literal: the literal and caller.
	skipped := caller(func() status.StackTrace { return status.GetStackTrace(2) })
	if got := top(t, skipped); got != self {
		t.Errorf("GetStackTrace(2) begins with %s", got)
	}
	tagged := caller(func() *status.Status { return new(status.Status).TagStack(2) })
	if got := top(t, tagged.StackTrace()); got != self {
		t.Errorf("TagStack(2) begins with %s", got)
	}
}

//go:noinline
func culpritIndex(list []int, i int) int { return list[i] }

//go:noinline
func culpritPanic(text string) { panic(text) }

func TestPanicStackBeginsWithTheCulprit(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]func(){
		"culpritIndex": func() { culpritIndex(nil, 3) },
		"culpritPanic": func() { culpritPanic("bad") },
	} {
		var got string
		func() {
			defer func() {
				st := status.PanicStackTrace()
				if recover() == nil {
					t.Errorf("%s did not panic", want)
				}
				got = top(t, st)
			}()
			f()
		}()
		if got != want {
			t.Errorf("stack begins with %s, want %s", got, want)
		}
	}
	if got := top(t, status.PanicStackTrace()); got != "TestPanicStackBeginsWithTheCulprit" {
		t.Errorf("without a panic the stack begins with %s", got)
	}
}

func TestStackIsBounded(t *testing.T) {
	t.Parallel()
	var dive func(n int) status.StackTrace
	dive = func(n int) status.StackTrace {
		if n == 0 {
			return status.GetStackTrace(0)
		}
		return dive(n - 1)
	}
	if n := len(dive(1000)); n != 64 {
		t.Errorf("%d frames, want 64", n)
	}
}

func TestFrameFormats(t *testing.T) {
	t.Parallel()
	st := status.GetStackTrace(0)
	for verb, want := range map[string]string{
		"%s":  `^stack_test\.go$`,
		"%d":  `^\d+$`,
		"%n":  `^TestFrameFormats$`,
		"%v":  `^stack_test\.go:\d+$`,
		"%+s": `^\S+/status_test\.TestFrameFormats\n\t/.*/stack_test\.go$`,
		"%+v": `^\S+/status_test\.TestFrameFormats\n\t/.*/stack_test\.go:\d+$`,
		"%x":  `^%!x\(status\.Frame=0x[0-9a-f]+\)$`,
	} {
		if got := fmt.Sprintf(verb, st[0]); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s prints %q, want %s", verb, got, want)
		}
	}
	if got := fmt.Sprint(status.Frame(0)); !strings.HasSuffix(got, ":0") {
		t.Errorf("an unknown frame prints %q", got)
	}
	for verb, want := range map[string]string{
		"%v":  `^\[stack_test\.go:\d+( \S+:\d+)*\]$`,
		"%s":  `^\[stack_test\.go( \S+)*\]$`,
		"%+v": `^\n\S+TestFrameFormats\n\t`,
		"%d":  `^%!d\(status\.StackTrace of \d+ frames\)$`,
	} {
		if got := fmt.Sprintf(verb, st); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s of the stack prints %q, want %s", verb, got, want)
		}
	}
	b, err := json.Marshal(st[:1])
	if err != nil || !strings.Contains(string(b), "status_test.TestFrameFormats /") {
		t.Errorf("Marshal = %s, %v", b, err)
	}
}
