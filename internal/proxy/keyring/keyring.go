package keyring

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// Epoch is how long a key seals. Epochs are counted from the Unix epoch.
const Epoch = 24 * time.Hour

// Ring is the keys of one purpose. They are XChaCha20-Poly1305, whose nonces are long
// enough to be random without ever meeting (draft-irtf-cfrg-xchacha §3.1).
type Ring struct {
	secret  []byte
	purpose string
	past    int64
	keys    atomic.Pointer[Keys]
}

// New returns a ring whose keys are worth nothing for another purpose. What a key has
// sealed can be opened for as long as life after its epoch.
func New(secret []byte, purpose string, life time.Duration) *Ring {
	return &Ring{secret: secret, purpose: purpose, past: int64((life + Epoch - 1) / Epoch)}
}

// Keys are the keys that count in an epoch: its own, those before that still open, and
// that of the next one, for clocks that are ahead. They never change.
type Keys struct {
	epoch int64
	past  int64
	keys  []cipher.AEAD // that of the earliest epoch first
}

// At returns the keys that count at a time.
func (r *Ring) At(now time.Time) *Keys {
	epoch := now.Unix() / int64(Epoch/time.Second)
	if k := r.keys.Load(); k != nil && k.epoch == epoch {
		return k
	}
	k := &Keys{epoch: epoch, past: r.past, keys: make([]cipher.AEAD, r.past+2)}
	for i := range k.keys {
		k.keys[i] = r.derive(epoch - r.past + int64(i))
	}
	r.keys.Store(k)
	return k
}

func (r *Ring) derive(epoch int64) cipher.AEAD {
	key, _ := hkdf.Key(sha256.New, r.secret, nil, r.purpose+" "+strconv.FormatInt(epoch, 10), chacha20poly1305.KeySize) // fails only for lengths
	aead, _ := chacha20poly1305.NewX(key)                                                                               // likewise
	return aead
}

// Present returns the key that seals, and the name of its epoch: its number, modulo 2^16.
func (k *Keys) Present() (epoch uint16, key cipher.AEAD) {
	return uint16(k.epoch), k.keys[k.past]
}

// Of returns the key of the epoch that has the name; nil if it doesn't count.
func (k *Keys) Of(epoch uint16) cipher.AEAD {
	i := uint16(int64(epoch) - (k.epoch - k.past))
	if int(i) >= len(k.keys) {
		return nil
	}
	return k.keys[i]
}
