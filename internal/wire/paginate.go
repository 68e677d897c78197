package wire

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"iter"

	"github.com/fairlead/fairlead/internal/apierr"
)

// A page token is opaque to clients: a version, a checksum against typing and
// cutting, and the key that the next page begins with. It is no secret and no
// right: what a page shows is decided when it is asked for.

const (
	tokenVersion = 1
	tokenHead    = 1 + crc32.Size // bytes before the key
)

// Token returns the token of the page that begins with key.
func Token(key string) string {
	b := binary.BigEndian.AppendUint32([]byte{tokenVersion}, crc32.ChecksumIEEE([]byte(key)))
	return base64.RawURLEncoding.EncodeToString(append(b, key...))
}

// From returns the key that the token's page begins with, "" for no token; code
// is what a token that isn't one of ours is refused with.
func From(token *string, code string) (string, error) {
	if token == nil || *token == "" {
		return "", nil
	}
	// Written again it must be the same: base64 alone would take line ends and
	// stray bits.
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || len(b) < tokenHead || Token(string(b[tokenHead:])) != *token {
		return "", apierr.New(code, "The pagination token is not one that this service gave")
	}
	return string(b[tokenHead:]), nil
}

// Page takes up to limit items, 0 for all, off a sequence that begins with the
// page's first key; next is the token of the page that follows, nil for none.
// It looks at one item more than it takes.
func Page[T any](seq iter.Seq2[string, T], limit int) (items []T, next *string) {
	items = []T{}
	for key, item := range seq {
		if limit > 0 && len(items) == limit {
			t := Token(key)
			return items, &t
		}
		items = append(items, item)
	}
	return items, nil
}
