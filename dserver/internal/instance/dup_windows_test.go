package instance

import (
	"os"
	"testing"
)

// dup skips: there are no successors here.
func dup(t *testing.T, _ *os.File) *os.File {
	t.Skip("files are not handed to other processes here")
	return nil
}
