package tfilter

import (
	"crypto/md5"
	"crypto/subtle"
)

// Id and name of the md5 filter, see [RegMD5].
const (
	Md5Id   = '5'
	Md5Name = "md5"
)

// RegMD5 registers the md5 filter, once in a process; a second time it panics.
//
// The packed form is the data followed by the 16 raw bytes of its MD5 digest.
// Unpacking checks and removes the digest; a mismatch is [ErrCheckFailed]. It
// notices accidents, not attackers, who can compute a digest too.
func RegMD5() { Reg(md5Filter{}) }

type md5Filter struct{}

func (md5Filter) ID() byte     { return Md5Id }
func (md5Filter) Name() string { return Md5Name }

func (md5Filter) OnPack(src []byte) ([]byte, error) {
	sum := md5.Sum(src)
	// Not append(src, ...): behind src may stand bytes of somebody else.
	out := make([]byte, 0, len(src)+len(sum))
	return append(append(out, src...), sum[:]...), nil
}

func (md5Filter) OnUnpack(src []byte) ([]byte, error) {
	n := len(src) - md5.Size
	if n < 0 {
		return nil, ErrCheckFailed
	}
	sum := md5.Sum(src[:n])
	if subtle.ConstantTimeCompare(sum[:], src[n:]) != 1 {
		return nil, ErrCheckFailed
	}
	return src[:n:n], nil
}
