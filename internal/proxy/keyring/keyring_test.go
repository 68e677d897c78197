package keyring_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/keyring"
)

// Nodes derive the keys by themselves: what one seals, another opens, until its time is
// over, and for no other purpose.
func TestAKeyOpensForItsLife(t *testing.T) {
	secret, sealed := []byte("of a load balancer"), time.Unix(1_790_000_000, 0)
	epoch, key := keyring.New(secret, "one", 3*keyring.Epoch).At(sealed).Present()
	nonce := make([]byte, key.NonceSize())
	text := key.Seal(nil, nonce, []byte("hello"), nil)
	for _, c := range []struct {
		name    string
		secret  string
		purpose string
		after   time.Duration
		want    bool
	}{
		{"at once", string(secret), "one", 0, true},
		{"by a clock that is behind by a day", string(secret), "one", -keyring.Epoch, true},
		{"by a clock that is behind by two days", string(secret), "one", -2 * keyring.Epoch, false},
		{"on its last day", string(secret), "one", 3 * keyring.Epoch, true},
		{"a day after it", string(secret), "one", 4 * keyring.Epoch, false},
		{"for another purpose", string(secret), "two", 0, false},
		{"of another secret", "of another one", "one", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := keyring.New([]byte(c.secret), c.purpose, 3*keyring.Epoch).At(sealed.Add(c.after)).Of(epoch)
			got := false
			if k != nil {
				_, err := k.Open(nil, nonce, text, nil)
				got = err == nil
			}
			if got != c.want {
				t.Errorf("opened: %t, want %t", got, c.want)
			}
		})
	}
}
