package kcp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

// cookieAge is how long a cookie is good for: less than the time after which the stamps of cookies begin anew.
const cookieAge = 60 * time.Second

// baker makes cookies, by which a client proves that it gets what is sent to its address, without anything being kept. A
// cookie is, from its low end on, 16 bits of the time that it was made at, in milliseconds, and 48 bits of a signature
// of that time, the address and the conversation.
type baker struct {
	secret [sha256.Size]byte
	now    func() time.Duration // since the baker was made, so that nobody sets it back
}

func newBaker() *baker {
	start := time.Now()
	b := &baker{now: func() time.Duration { return time.Since(start) }}
	_, _ = rand.Read(b.secret[:]) // never fails
	return b
}

// bake makes a cookie.
func (b *baker) bake(addr netip.AddrPort, conv uint32) uint64 { return b.at(b.now(), addr, conv) }

// check returns when a cookie was made, in whole milliseconds, and whether it is good.
func (b *baker) check(addr netip.AddrPort, conv uint32, c uint64) (baked time.Duration, ok bool) {
	now := b.now().Milliseconds()
	age := time.Duration(uint16(now)-uint16(c)) * time.Millisecond
	baked = time.Duration(now)*time.Millisecond - age
	return baked, age <= cookieAge && same(c, b.at(baked, addr, conv))
}

func same(a, b uint64) bool {
	return subtle.ConstantTimeEq(int32(a>>32), int32(b>>32))&subtle.ConstantTimeEq(int32(a), int32(b)) == 1
}

func (b *baker) at(t time.Duration, addr netip.AddrPort, conv uint32) uint64 {
	ms, ip := t.Milliseconds(), addr.Addr().As16()
	text := binary.LittleEndian.AppendUint64(nil, uint64(ms))
	text = binary.LittleEndian.AppendUint32(text, conv)
	text = binary.LittleEndian.AppendUint16(text, addr.Port())
	text = append(append(text, ip[:]...), addr.Addr().Zone()...)
	mac := hmac.New(sha256.New, b.secret[:])
	mac.Write(text)
	return binary.LittleEndian.Uint64(mac.Sum(nil))<<16 | uint64(uint16(ms))
}

// newConv picks the number of a conversation. It is hard to guess, since whoever knows it can end the conversation.
func newConv() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}
