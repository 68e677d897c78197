package server

import (
	"testing"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/truststore"
	"github.com/fairlead/fairlead/internal/vpc"
)

// What holds where the configuration says nothing is what the rooms have as
// defaults: none is forgotten between the two.
func TestTheConfiguredQuotasAreTheDefaults(t *testing.T) {
	q := config.Default().Quotas
	if got := balancing(q); got != elb.DefaultQuotas {
		t.Errorf("load balancers: got %+v, want %+v", got, elb.DefaultQuotas)
	}
	if got := networking(q.VPC); got != vpc.DefaultQuotas {
		t.Errorf("networks: got %+v, want %+v", got, vpc.DefaultQuotas)
	}
	if got := q.ELB.TrustStores; got != truststore.DefaultQuota {
		t.Errorf("trust stores: got %d, want %d", got, truststore.DefaultQuota)
	}
}
