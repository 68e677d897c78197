package discovery_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/discovery"
)

func TestWhereAnAddressComesFrom(t *testing.T) {
	for _, c := range []struct {
		name     string
		fromPool bool
		source   discovery.Source
		service  bool
		want     discovery.AddressType
	}{
		{"a load balancer's from a brought range", true, discovery.BYOIP, true, "service-managed-byoip"},
		{"an elastic IP from a brought range", true, discovery.BYOIP, false, "byoip"},
		{"a load balancer's from a contiguous block", true, discovery.Amazon, true, "amazon-owned-contig"},
		{"an elastic IP from a contiguous block", true, discovery.Amazon, false, "amazon-owned-contig"},
		{"a load balancer's from the provider", false, discovery.NoSource, true, "service-managed-ip"},
		{"an elastic IP from the provider", false, discovery.NoSource, false, "amazon-owned-eip"},
	} {
		if got := discovery.AddressTypeOf(c.fromPool, c.source, c.service); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
