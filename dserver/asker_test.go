package dserver

import (
	"sync"
	"testing"
)

func TestGoroutinesKnowTheirSandbox(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for _, name := range []string{"orders", `odd "na\me"`, "用户", ""} {
		for range 4 {
			wg.Go(func() {
				var direct, started string
				asSandbox(name, func() {
					direct = askingSandbox()
					var inner sync.WaitGroup
					inner.Go(func() {
						inner.Go(func() { started = askingSandbox() })
					})
					inner.Wait()
				})
				if direct != name || started != name {
					t.Errorf("%q is told as %q, and by what it started as %q", name, direct, started)
				}
				if outside := askingSandbox(); outside != "" {
					t.Errorf("outside of a sandbox: %q", outside)
				}
			})
		}
	}
	wg.Wait()
}

func TestLabelOfARecord(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{
		"1 @ 0x1\n# labels: {\"a\":\"b\", \"sandbox\":\"orders\"}\n#\t0x1\tmain": "orders",
		"1 @ 0x1\n# labels: {\"a\":\"b\"}\n":                                     "",
		"1 @ 0x1\n# labels: {\"sandbox\":orders}\n":                              "",
		"1 @ 0x1\n#\t0x1\tmain":                                                  "",
	} {
		if got := labelOf(record); got != want {
			t.Errorf("%q: %q, want %q", record, got, want)
		}
	}
}
