//go:build linux

package proxy

import "time"

// Of a wheel: how far its slots are apart, and how many there are.
const (
	wheelTick  = 100 * time.Millisecond
	wheelSlots = 1024
)

// timer is a place in a wheel. It is due at a time, which may move on without
// the wheel being told: a connection on which something happens all the time
// costs the wheel nothing.
type timer struct {
	next, prev *timer
	slot       int           // -1: in none
	due        time.Duration // since the wheel's beginning
	owner      interface{ expire(now time.Duration) }
}

// wheel holds timers by when they are looked at: never after they are due by
// more than a tick, perhaps before.
type wheel struct {
	slots [wheelSlots]*timer
	tick  int64 // up to which slots have been looked at
	count int
}

// set makes the timer due at a time.
func (w *wheel) set(t *timer, due time.Duration) {
	if t.slot >= 0 {
		// A timer that is looked at too early is put further back then.
		if at := w.tickOf(due); at >= w.seenAt(t) {
			t.due = due
			return
		}
		w.remove(t)
	}
	t.due = due
	w.link(t)
}

// tickOf returns the tick from which on the time is over.
func (w *wheel) tickOf(due time.Duration) int64 { return int64((due + wheelTick - 1) / wheelTick) }

// seenAt returns the tick at which a timer is looked at.
func (w *wheel) seenAt(t *timer) int64 {
	at := w.tick - w.tick%wheelSlots + int64(t.slot)
	if at <= w.tick {
		at += wheelSlots
	}
	return at
}

func (w *wheel) link(t *timer) {
	at := min(max(w.tickOf(t.due), w.tick+1), w.tick+wheelSlots-1)
	t.slot = int(at % wheelSlots)
	head := w.slots[t.slot]
	t.prev, t.next = nil, head
	if head != nil {
		head.prev = t
	}
	w.slots[t.slot] = t
	w.count++
}

// remove takes the timer out, if it is in.
func (w *wheel) remove(t *timer) {
	if t.slot < 0 {
		return
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[t.slot] = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.slot = nil, nil, -1
	w.count--
}

// advance looks at the timers up to now and has those expire that are due.
func (w *wheel) advance(now time.Duration) {
	for until := int64(now / wheelTick); w.tick < until; {
		if w.count == 0 {
			w.tick = until
			return
		}
		w.tick++
		slot := int(w.tick % wheelSlots)
		for t := w.slots[slot]; t != nil; t = w.slots[slot] {
			w.remove(t)
			if t.due > now {
				w.link(t)
			} else {
				t.owner.expire(now)
			}
		}
	}
}

// wait returns how long there is nothing to look at; negative: for ever.
func (w *wheel) wait(now time.Duration) time.Duration {
	if w.count == 0 {
		return -1
	}
	for i := int64(1); i < wheelSlots; i++ {
		if w.slots[(w.tick+i)%wheelSlots] != nil {
			return max(0, time.Duration(w.tick+i)*wheelTick-now)
		}
	}
	return wheelTick
}
