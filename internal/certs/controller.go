package certs

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

const (
	// maxOrders is how many certificates are worked on at once: most of the time is
	// the authority's.
	maxOrders = 8
	// orderTime is how long one order may take. Authorities look at a challenge from
	// several places, and some take minutes for a certificate.
	orderTime = 10 * time.Minute
	// orderingPause is when to look again at what another server orders. One that died
	// is known to be dead after about as long.
	orderingPause = 30 * time.Second
)

// Controller has requested certificates issued, and renewed before they expire.
type Controller struct {
	s   *Service
	log *slog.Logger

	// Of Run's goroutine.
	tasks   map[string]*task
	waiting schedule
	running int
	done    chan result
}

// task is a certificate that something is to be done about.
type task struct {
	arn      string
	at       time.Time // when
	place    int       // in schedule, -1: not in it
	busy     bool
	failures int       // in a row
	resume   time.Time // after a failure: no order before
}

type result struct {
	t   *task
	err error
}

// NewController returns a controller for the service's authority.
func (s *Service) NewController(log *slog.Logger) *Controller {
	return &Controller{s: s, log: log, tasks: map[string]*task{}, done: make(chan result, maxOrders)}
}

// Run works until ctx ends, and then waits for what is under way.
func (c *Controller) Run(ctx context.Context) {
	sub := c.s.store.Subscribe(c.s.certificates.Name(), c.s.uses.Name())
	defer sub.Close()
	var workers sync.WaitGroup
	defer workers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		for c.running < maxOrders && len(c.waiting) > 0 && !c.waiting[0].at.After(time.Now()) {
			t := heap.Pop(&c.waiting).(*task)
			t.busy = true
			c.running++
			workers.Go(func() { c.done <- result{t, c.s.advance(ctx, t.arn, c.log)} })
		}
		timer.Stop()
		if c.running < maxOrders && len(c.waiting) > 0 {
			timer.Reset(time.Until(c.waiting[0].at))
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case r := <-c.done:
			c.ended(ctx, r)
		case <-sub.C:
			keys, all := sub.Take()
			snap := c.s.store.Snapshot()
			if all {
				for arn := range c.s.certificates.All(snap) {
					c.look(snap, arn)
				}
				for arn := range c.tasks {
					c.look(snap, arn)
				}
			}
			for _, k := range keys {
				c.look(snap, k.Key)
			}
		}
	}
}

// look schedules what is to be done about a certificate, or forgets it.
func (c *Controller) look(r store.Reader, arn string) {
	x, ok := c.s.certificates.Get(r, arn)
	step, at := stepOf(x, ok && len(c.s.InUseBy(r, arn)) > 0)
	t := c.tasks[arn]
	switch {
	case t != nil && t.busy:
		return // until it has ended
	case step == nothing && t != nil:
		if t.place >= 0 {
			heap.Remove(&c.waiting, t.place)
		}
		delete(c.tasks, arn)
		return
	case step == nothing:
		return
	case t == nil:
		t = &task{arn: arn, place: -1}
		c.tasks[arn] = t
	}
	t.at = at
	if t.resume.After(at) {
		t.at = t.resume
	}
	// A request ends in time, whatever it waits for.
	if end := x.Created.Add(validationTime); step == order && t.at.After(end) && end.After(time.Now()) {
		t.at = end
	}
	if t.place < 0 {
		heap.Push(&c.waiting, t)
	} else {
		heap.Fix(&c.waiting, t.place)
	}
}

// ended takes up what came of a task, and schedules the next.
func (c *Controller) ended(ctx context.Context, r result) {
	c.running--
	r.t.busy = false
	var unproven *unprovenError
	switch now := time.Now(); {
	case ctx.Err() != nil:
		return
	case r.err == nil:
		r.t.failures, r.t.resume = 0, time.Time{}
	case errors.As(r.err, &unproven):
		r.t.failures, r.t.resume = 0, now.Add(unproven.pause)
		if unproven.cause != nil {
			c.log.Warn("a domain's proof couldn't be looked for", "certificate", r.t.arn, "error", unproven.cause)
		}
	case errors.Is(r.err, ErrOrdering):
		r.t.resume = now.Add(orderingPause)
	default:
		r.t.failures++
		r.t.resume = now.Add(pauseAfter(r.t.failures))
		c.log.Warn("a certificate couldn't be ordered", "certificate", r.t.arn, "error", r.err, "next", r.t.resume.UTC())
	}
	c.look(c.s.store.Snapshot(), r.t.arn)
}

// schedule is tasks by time, the next one first.
type schedule []*task

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(x any) {
	t := x.(*task)
	t.place = len(*s)
	*s = append(*s, t)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	t := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	t.place = -1
	return t
}
