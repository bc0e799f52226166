package process

import (
	"context"
	"sync"
)

// reapOnce makes ReapZombie start one reaper. Adopting orphans is a property of the whole process, as is this.
var reapOnce sync.Once

// ReapZombie is ReapOrphans for the rest of this process's life, in the background. Further calls, and calls where orphans
// cannot be adopted, do nothing.
func ReapZombie() {
	reapOnce.Do(func() {
		go func() { _ = ReapOrphans(context.Background()) }() // the only error is that there is nothing to do
	})
}
