package jsontest_test

import (
	"testing"

	"github.com/osgochina/dmicro/internal/jsontest"
)

func TestEncodingJSONAgreesWithItself(t *testing.T) {
	t.Parallel()
	same := jsontest.Std
	same.SameErrors = true
	for _, c := range jsontest.Cases() {
		for _, d := range c.Diff(same) {
			t.Errorf("%s: %s", c.Name, d)
		}
	}
}
