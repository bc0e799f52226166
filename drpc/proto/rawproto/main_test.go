package rawproto_test

import (
	"os"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

func TestMain(m *testing.M) {
	prototest.RegisterFilters()
	os.Exit(m.Run())
}

var kit = prototest.Kit{New: rawproto.RawProtoFunc}

// payload puts a frame without filters around the parts given.
func payload(parts ...string) []byte {
	body := strings.Join(parts, "")
	n := len(body) + 6
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 1, 0}, body...)
}
