package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The example has a test of its own, which needs an etcd.
func TestExampleRunsAgainstEtcd(t *testing.T) {
	t.Parallel()
	addr, _ := shared(t)
	cmd := exec.Command("go", "test", "-count=1", "-v", "github.com/osgochina/dmicro/examples/registry_etcd")
	cmd.Env = append(os.Environ(), "DMICRO_ETCD="+addr)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestClientFindsTheServer") {
		t.Errorf("%v\n%s", err, out)
	}
}
