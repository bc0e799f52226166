package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// A library of KCP asks for google.golang.org/genproto as it was before its packages were split over modules. Unless this
// module asks for a later one, go mod tidy finds the packages in two modules, and fails in every program that uses this one.
func TestProgramsThatUseThisModuleCanBeTidied(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^(?:require|\t)\s*google\.golang\.org/genproto v0\.0\.0-(\d{14})-`).FindSubmatch(text)
	const split = "20230530000000"
	if m == nil || string(m[1]) < split {
		t.Errorf("go.mod has to require google.golang.org/genproto of after %s, as its comment says", split)
	}
}
