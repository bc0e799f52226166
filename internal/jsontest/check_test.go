package jsontest_test

import (
	"strings"
	"testing"

	"github.com/osgochina/dmicro/internal/jsontest"
)

func TestEncodingJSONAgreesWithItself(t *testing.T) {
	t.Parallel()
	same := jsontest.Std
	same.SameErrors = true
	for _, c := range jsontest.Cases() {
		if strings.HasPrefix(c.Name, "hostile/") {
			continue // they measure memory, and take their time
		}
		for _, d := range c.Diff(same) {
			t.Errorf("%s: %s", c.Name, d)
		}
	}
}
