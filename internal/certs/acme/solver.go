package acme

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"github.com/fairlead/fairlead/internal/certs"
)

// orderOf is the key of the order in the context of what is done for it.
type orderOf struct{}

// solver answers dns-01 challenges (RFC 8555 §8.4) for the order in the context. It
// implements acmez.Solver and acmez.Waiter.
type solver struct{ a *Authority }

const (
	// waitTime is how long we look for an answer by ourselves. After it the authority
	// is told to look all the same: its resolver isn't ours.
	waitTime = 2 * time.Minute
	// Pauses between our looks.
	minWait = 20 * time.Millisecond
	maxWait = 5 * time.Second
	// cleanUpTime is how long it may take to tidy up after an order that was ended.
	cleanUpTime = 10 * time.Second
)

func orderIn(ctx context.Context, c acme.Challenge) (*certs.Order, error) {
	o, ok := ctx.Value(orderOf{}).(*certs.Order)
	if !ok {
		return nil, fmt.Errorf("a challenge for %s without an order", c.Identifier.Value)
	}
	return o, nil
}

// Present implements acmez.Solver.
func (s solver) Present(ctx context.Context, c acme.Challenge) error {
	o, err := orderIn(ctx, c)
	if err != nil {
		return err
	}
	return o.Show(ctx, c.Identifier.Value, c.DNS01KeyAuthorization())
}

// Wait implements acmez.Waiter.
func (s solver) Wait(ctx context.Context, c acme.Challenge) error {
	o, err := orderIn(ctx, c)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	for _, d := range o.Domains {
		if d.Name != c.Identifier.Value {
			continue
		}
		for pause := minWait; ; pause = min(2*pause, maxWait) {
			if found, err := s.a.has(waiting, d.Record, c.DNS01KeyAuthorization()); found && err == nil {
				return nil
			}
			select {
			case <-time.After(pause):
			case <-waiting.Done():
				return ctx.Err()
			}
		}
	}
	return errors.New("a challenge for a domain that wasn't ordered")
}

// CleanUp implements acmez.Solver. It is called for orders that were ended, too.
func (s solver) CleanUp(ctx context.Context, c acme.Challenge) error {
	o, err := orderIn(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	return o.Hide(ctx, c.Identifier.Value, c.DNS01KeyAuthorization())
}
