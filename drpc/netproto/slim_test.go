package netproto_test

import (
	"os/exec"
	"strings"
	"testing"
)

func TestSlimBuildLinksNeitherKCPNorQUIC(t *testing.T) {
	t.Parallel()
	full, slim := dependencies(t), dependencies(t, "-tags", "drpc_slim")
	for _, library := range []string{"github.com/xtaci/kcp-go", "github.com/quic-go/quic-go", "drpc/netproto/kcp", "drpc/netproto/quic"} {
		if !strings.Contains(full, library) {
			t.Errorf("the full build lacks %s", library)
		}
		if strings.Contains(slim, library) {
			t.Errorf("the slim build has %s", library)
		}
	}
	if f, s := strings.Count(full, "\n"), strings.Count(slim, "\n"); s >= f {
		t.Errorf("%d packages slim, %d full", s, f)
	} else {
		t.Logf("%d packages slim, %d full", s, f)
	}
}

func dependencies(t *testing.T, flags ...string) string {
	t.Helper()
	args := append([]string{"list", "-deps"}, flags...)
	out, err := exec.Command("go", append(args, "github.com/osgochina/dmicro/drpc")...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return string(out)
}
