package dserver

import (
	"context"
	"os"
	"slices"
	"sync"
)

// end ends the workers of the service, when the master ends. They limit themselves; one that does not is killed.
func (v *service) end(ctx context.Context) (out stopOutcome) {
	select {
	case <-v.idle: // nobody starts another one
	case <-ctx.Done():
	}
	v.mu.Lock()
	all := slices.Clone(v.leaving)
	if v.worker != nil {
		all = append(all, v.worker)
	}
	v.worker, v.leaving = nil, slices.Clone(all) // where kill finds them
	v.mu.Unlock()
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(w.stop)
	}
	if !finished(ctx, wg.Wait) {
		for _, w := range all {
			w.kill()
		}
		wg.Wait()
		out.cut = append(out.cut, v.name)
	}
	for _, w := range all {
		out.failed = out.failed || w.code() != codeOK
	}
	_ = os.Remove(v.words) // of no use any more, and if it stays it is small
	return out
}

// finished reports whether wait has returned before ctx has ended.
func finished(ctx context.Context, wait func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// kill ends everything at once.
func (v *service) kill() {
	if w := v.current(); w != nil {
		w.kill()
	}
	v.mu.Lock()
	leaving := slices.Clone(v.leaving)
	v.mu.Unlock()
	for _, w := range leaving {
		w.kill()
	}
}
