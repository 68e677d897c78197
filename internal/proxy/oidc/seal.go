package oidc

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fairlead/fairlead/internal/proxy/keyring"
)

// What is sealed begins with the epoch of its key and the nonce, in the clear.
const (
	sealEpoch    = 2
	sealHead     = sealEpoch + chacha20poly1305.NonceSizeX
	sealOverhead = sealHead + chacha20poly1305.Overhead
)

// strictly refuses what isn't as EncodeToString writes it.
var strictly = base64.RawURLEncoding.Strict()

// appendSealed appends plain, sealed for the realm.
func appendSealed(dst []byte, r *keyring.Ring, realm *realm, plain []byte, now time.Time) []byte {
	epoch, key := r.At(now).Present()
	dst = binary.BigEndian.AppendUint16(dst, epoch)
	var nonce [chacha20poly1305.NonceSizeX]byte
	_, _ = rand.Read(nonce[:]) // never fails (crypto/rand)
	dst = append(dst, nonce[:]...)
	return key.Seal(dst, nonce[:], plain, realm[:])
}

// openSealed returns what was sealed for the realm, in the place of b; false if it
// wasn't, or its key doesn't count any more.
func openSealed(b []byte, r *keyring.Ring, realm *realm, now time.Time) ([]byte, bool) {
	if len(b) < sealOverhead {
		return nil, false
	}
	key := r.At(now).Of(binary.BigEndian.Uint16(b))
	if key == nil {
		return nil, false
	}
	plain, err := key.Open(b[sealHead:sealHead], b[sealEpoch:sealHead], b[sealHead:], realm[:])
	return plain, err == nil
}

// appendText appends a text that takeText returns.
func appendText[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// taker takes apart what was sealed. ok is false once anything was missing.
type taker struct {
	b  []byte
	ok bool
}

func (t *taker) bytes(n int) []byte {
	if !t.ok || n < 0 || n > len(t.b) {
		t.ok = false
		return nil
	}
	var out []byte
	out, t.b = t.b[:n:n], t.b[n:]
	return out
}

func (t *taker) text() []byte {
	n, size := binary.Uvarint(t.b)
	if size <= 0 || n > uint64(len(t.b)) {
		t.ok = false
		return nil
	}
	t.b = t.b[size:]
	return t.bytes(int(n))
}

// time takes a time, in milliseconds.
func (t *taker) time() time.Time {
	b := t.bytes(8)
	if b == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
}

func appendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixMilli()))
}
