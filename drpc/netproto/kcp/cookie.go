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

// cookieAge is how long a cookie is good for, and at most twice that.
const cookieAge = 30 * time.Second

// baker makes cookies, by which a client proves that it gets what is sent to its address, without anything being kept.
type baker struct {
	secret [sha256.Size]byte
	now    func() time.Time
}

func newBaker() *baker {
	b := &baker{now: time.Now}
	_, _ = rand.Read(b.secret[:]) // never fails
	return b
}

func (b *baker) bake(addr netip.AddrPort, conv uint32) uint64 { return b.at(b.epoch(), addr, conv) }

func (b *baker) check(addr netip.AddrPort, conv uint32, c uint64) bool {
	now := b.epoch()
	return same(c, b.at(now, addr, conv)) || same(c, b.at(now-1, addr, conv))
}

func same(a, b uint64) bool {
	return subtle.ConstantTimeEq(int32(a>>32), int32(b>>32))&subtle.ConstantTimeEq(int32(a), int32(b)) == 1
}

func (b *baker) epoch() int64 { return b.now().UnixNano() / int64(cookieAge) }

func (b *baker) at(epoch int64, addr netip.AddrPort, conv uint32) uint64 {
	ip := addr.Addr().As16()
	text := binary.LittleEndian.AppendUint64(nil, uint64(epoch))
	text = binary.LittleEndian.AppendUint32(text, conv)
	text = binary.LittleEndian.AppendUint16(text, addr.Port())
	text = append(append(text, ip[:]...), addr.Addr().Zone()...)
	mac := hmac.New(sha256.New, b.secret[:])
	mac.Write(text)
	return binary.LittleEndian.Uint64(mac.Sum(nil))
}

// newConv picks the number of a conversation. It is hard to guess, since whoever knows it can end the conversation.
func newConv() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}
