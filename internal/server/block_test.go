package server

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
)

// I2: a block that is reserved is on the books as any other, as long as its load
// balancer says so.
func TestAReservedBlockFitsTogether(t *testing.T) {
	e := newEstate(t)
	k := e.reserve("arn:lb")
	for name, b := range map[string]elb.LoadBalancer{
		"that it draws from": {ARN: "arn:lb", Block: &k},
		"that it is leaving": {ARN: "arn:lb", Leaving: []elb.Block{k}},
	} {
		e.write("elb.loadbalancer", "arn:lb", b)
		if out := e.checker(0).Repair(t.Context(), time.Now()); len(out.Findings) > 0 {
			t.Errorf("one %s:%s", name, text(out))
		}
	}
}
