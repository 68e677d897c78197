package jwt

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// places is how many tokens a checker remembers at most, 8 KiB of pointers and some
// 100 bytes for each token.
const places = 1024

// known are tokens that were good. They come again with each request of a client, and a
// signature costs some fifty times of what it costs to know it.
//
// A token is known by the digest of all of it, by one checker, with one set of keys:
// another set, and it is checked again. When it counts is looked at each time. Nothing
// is remembered of tokens that weren't good, so nobody can have others forgotten but by
// good ones. The zero value is ready.
type known struct {
	tokens [places]atomic.Pointer[knownToken]
}

type knownToken struct {
	digest [sha256.Size]byte
	keys   *Set
	times  times
}

func (k *known) place(digest *[sha256.Size]byte) *atomic.Pointer[knownToken] {
	return &k.tokens[binary.LittleEndian.Uint64(digest[:])%places]
}

func (k *known) has(digest *[sha256.Size]byte, keys *Set, now time.Time) bool {
	t := k.place(digest).Load()
	return t != nil && t.keys == keys && t.digest == *digest && t.times.include(now)
}

func (k *known) add(digest *[sha256.Size]byte, keys *Set, t times) {
	k.place(digest).Store(&knownToken{*digest, keys, t})
}
