package tfilter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/tfilter"
)

func TestMD5NoticesDamage(t *testing.T) {
	t.Parallel()
	f, err := tfilter.Get(tfilter.Md5Id)
	if err != nil {
		t.Fatal(err)
	}
	good := string(mustPack(t, "5", []byte("data")))
	bad := []string{"", "short", strings.Repeat("x", 16), good[:len(good)-1], good[1:], good + "x"}
	for i := range good {
		bad = append(bad, good[:i]+string([]byte{good[i] ^ 1})+good[i+1:])
	}
	for _, in := range bad {
		if b, err := f.OnUnpack([]byte(in)); b != nil || !errors.Is(err, tfilter.ErrCheckFailed) || err.Error() != "check failed" {
			t.Errorf("OnUnpack(%q) = %q, %v", in, b, err)
		}
	}
}

func TestMD5ResultDoesNotReachIntoTheDigest(t *testing.T) {
	t.Parallel()
	packed := mustPack(t, "5", []byte("data"))
	before := string(packed)
	out, err := pipe(t, "5").OnUnpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	if _ = append(out, "more"...); string(packed) != before {
		t.Error("appending to the result changed the input")
	}
}
