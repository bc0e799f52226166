package archtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The modules in folders of this one use it as it stands there, and with it what it requires. Go refuses to build them
// when they require older versions, which nobody notices who only tests this module.
func TestModulesBesideThisOneRequireWhatItRequires(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/*/go.mod")
	if err != nil || len(files) == 0 {
		t.Fatalf("no module found: %v", err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("go", "list", "-mod=readonly", "-m", "all")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil && strings.Contains(string(out), "updates to go.mod needed") {
				t.Errorf("%s is behind: run GOFLAGS=-mod=mod go list -deps -test ./... there", file)
			} else if err != nil {
				t.Skipf("%v: %s", err, out) // without a network that is no fault of the module
			}
		})
	}
}
