package drpc

import (
	"bytes"
	"compress/gzip"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/logger"
)

// Ids of the filters that TestMain registers.
const (
	gzipID = tfilter.GzipId
	md5ID  = tfilter.Md5Id
	aesID  = tfilter.AesId
)

func TestMain(m *testing.M) {
	tfilter.RegGzip(gzip.BestSpeed)
	tfilter.RegMD5()
	tfilter.RegAES(bytes.Repeat([]byte("k"), 16))
	logger.SetLevel(logger.LevelCritical) // many tests cause errors and panics on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
