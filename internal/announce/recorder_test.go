package announce_test

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/announce"
)

func TestARecorderKeepsWhatItIsTold(t *testing.T) {
	r := announce.NewRecorder(slog.New(slog.DiscardHandler))
	four, six := netip.MustParsePrefix("198.18.0.0/24"), netip.MustParsePrefix("2001:db8::/48")
	for _, err := range []error{
		r.Announce(t.Context(), "us-east-1", six), r.Announce(t.Context(), "us-east-1", four), r.Announce(t.Context(), "us-east-1", four),
		r.Announce(t.Context(), "eu-west-1", four), r.Withdraw(t.Context(), "us-east-1", netip.MustParsePrefix("198.18.7.0/24")),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []announce.Route{{Region: "eu-west-1", Prefix: four}, {Region: "us-east-1", Prefix: four}, {Region: "us-east-1", Prefix: six}}
	if got := r.Routes(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := r.Withdraw(t.Context(), "us-east-1", four); err != nil {
		t.Error(err)
	}
	if got := r.Routes(); len(got) != 2 {
		t.Errorf("after a withdrawal: got %v", got)
	}
}
