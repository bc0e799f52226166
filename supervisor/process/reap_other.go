//go:build !linux

package process

import (
	"context"
	"errors"
	"fmt"
)

// ReapOrphans adopts the orphans among the descendants of this process on Linux. Here the error wraps
// errors.ErrUnsupported.
func ReapOrphans(context.Context) error {
	return fmt.Errorf("process: orphans cannot be adopted on this system: %w", errors.ErrUnsupported)
}
