package proxy

import "time"

// Remedy is what an address that can't be bound is told with.
var Remedy = remedy

// RenewTickets has tickets sealed as at the time.
func (p *Proxy) RenewTickets(now time.Time) {
	for !p.renewTickets(now) {
	}
}
