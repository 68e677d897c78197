package server

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
)

// I2: a block that is reserved is on the books as any other.
func TestAReservedBlockFitsTogether(t *testing.T) {
	p := newPair(t, 0)
	pool, _ := p.rooms[0].ipam.Pool(p.rooms[0].store.Snapshot(), p.pool)
	spec := elb.BlockSpec{ID: ids.New("reserved-", 33), Account: pool.Account, Region: pool.Locale, PoolID: p.pool, ARN: "arn:aws:elasticloadbalancing:x", NetmaskLength: 30, Time: time.Now()}
	if err := (pools{p.rooms[0].ipam}).Reserve(t.Context(), spec, func(*store.Tx, elb.Block) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if out := p.rooms[0].newChecker(0).Check(time.Now()); out.Left > 0 {
		t.Errorf("fsck:%s", text(out))
	}
}
