package ipam

import "cmp"

// Quotas are the operator's limits on what an account may make. 0 is AWS's
// published default (IPAM quotas).
type Quotas struct {
	PoolsPerScope      int // 50
	CIDRsPerPool       int // 50
	AllocationsPerPool int // 550,000; the provider's own pools have no limit
}

func (q Quotas) orDefaults() Quotas {
	return Quotas{
		PoolsPerScope:      cmp.Or(q.PoolsPerScope, 50),
		CIDRsPerPool:       cmp.Or(q.CIDRsPerPool, 50),
		AllocationsPerPool: cmp.Or(q.AllocationsPerPool, 550_000),
	}
}
