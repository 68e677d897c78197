package ipam_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/ipam"
)

func quotas(q ipam.Quotas) func(*ipam.Options) {
	return func(o *ipam.Options) { o.Quotas = q }
}

func TestTheOperatorsQuotasHold(t *testing.T) {
	w := single(t, quotas(ipam.Quotas{PoolsPerScope: 1, CIDRsPerPool: 2, AllocationsPerPool: 3}))
	i := w.ipam()
	p := w.pool(i.PrivateScopeID)
	_, err := w.CreatePool(t.Context(), poolRequest(i.PrivateScopeID), nil)
	refused(t, err, ipam.OverLimit, "limited to 1")
	w.provision(p.ID, "10.0.0.0/24")
	w.provision(p.ID, "10.0.1.0/24")
	_, err = w.ProvisionCIDR(t.Context(), provisionRequest(p.ID, "10.0.2.0/24"), nil)
	refused(t, err, ipam.OverLimit, "limited to 2")
	for range 3 {
		w.allocate(p, length(32))
	}
	_, err = w.Allocate(t.Context(), allocateRequest(p, length(32)), nil)
	refused(t, err, ipam.OverLimit, "limited to 3")
}

// I2: a cascade deletes more pools than one transaction could mark.
func TestACascadeKnowsNoNumberOfPools(t *testing.T) {
	w := single(t, quotas(ipam.Quotas{PoolsPerScope: 1000}))
	i := w.ipam()
	top := w.pool(i.PrivateScopeID)
	w.provision(top.ID, "10.0.0.0/8")
	for range 150 {
		child := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })
		w.provisionLength(child.ID, 24)
	}
	for range 70 {
		w.pool(i.PrivateScopeID)
	}
	if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	if !gone(w, i) {
		t.Error("something of it is left")
	}
}
