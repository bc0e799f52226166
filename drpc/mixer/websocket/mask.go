package websocket

import (
	"encoding/binary"
	"math/bits"
)

// mask writes src, masked with key, to dst. The key has its first byte lowest; the one that it returns is for what
// follows.
func mask(dst, src []byte, key uint32) uint32 {
	both := uint64(key)<<32 | uint64(key)
	i := 0
	for ; i+8 <= len(src); i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(src[i:])^both)
	}
	for ; i < len(src); i++ {
		dst[i] = src[i] ^ byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}
