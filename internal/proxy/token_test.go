package proxy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// A token counts for seven days and the skew of clocks, at every node, whatever
// key it was made with; and no key opens what it didn't seal.
func TestTokensCountAcrossEpochs(t *testing.T) {
	one, two := newSticky(bytes.Repeat([]byte{1}, 32)), newSticky(bytes.Repeat([]byte{1}, 32))
	other := newSticky(bytes.Repeat([]byte{2}, 32))
	midnight := time.Unix(20000*86400, 0)
	for _, made := range []time.Time{midnight, midnight.Add(-time.Millisecond), midnight.Add(11 * time.Hour), time.Unix(65536*86400-1, 0)} {
		want := token{route.Mark{1}, targetRef{2}, made.Truncate(time.Millisecond)}
		var value [tokenText]byte
		one.seal(&value, want)
		for after, counts := range map[time.Duration]bool{
			0: true, time.Second: true, 24 * time.Hour: true, maxStay: true, -clockSkew: true,
			9 * 24 * time.Hour: false, -3 * 24 * time.Hour: false,
		} {
			if got, ok := two.open(value[:], made.Add(after)); ok != counts || ok && (got.group != want.group || got.target != want.target || !got.made.Equal(want.made)) {
				t.Errorf("made at %v, opened %v after: %v, %t; want %v, %t", made.UTC(), after, got, ok, want, counts)
			}
		}
		if _, ok := other.open(value[:], made); ok {
			t.Error("another load balancer's key opens it")
		}
		for i := range value {
			changed := value
			changed[i] ^= 1
			if _, ok := two.open(changed[:], made); ok {
				t.Errorf("it opens with character %d changed", i)
			}
		}
	}
	var value [tokenText]byte
	one.seal(&value, token{made: midnight})
	sealed, err := base64.RawURLEncoding.DecodeString(string(value[:]))
	if err != nil {
		t.Fatal(err)
	}
	sealed[1]-- // the day before
	if _, ok := two.open([]byte(base64.RawURLEncoding.EncodeToString(sealed)), midnight); ok {
		t.Error("two days have the same key")
	}
}

func TestATargetIsCalledTheSameEverywhere(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.1:80")
	// Another reference would end every stay when a host gets a newer program.
	if got, want := refOf(balance.Key{Group: "tg", Addr: at}), (targetRef{0xf8, 0x7c, 0x36, 0xca, 0xbf, 0xe2, 0x86, 0x5d}); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func BenchmarkToken(b *testing.B) {
	s := newSticky(bytes.Repeat([]byte{1}, 32))
	want := token{route.Mark{1}, targetRef{2}, time.Unix(1700000000, 0)}
	var value [tokenText]byte
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.seal(&value, want)
		}
	})
	s.seal(&value, want)
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := s.open(value[:], want.made); !ok {
				b.Fatal("not opened")
			}
		}
	})
	b.Run("fields", func(b *testing.B) {
		st := stay{sticky: s, withGroup: true}
		var out []byte
		b.ReportAllocs()
		for b.Loop() {
			out = st.appendCookies(out[:0], nil, nil, want.made)
		}
	})
}
