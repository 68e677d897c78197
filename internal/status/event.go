package status

import (
	"fmt"
	"time"
)

// Event is what a controller decided, as people see it.
type Event struct {
	Seq      uint64            `json:"seq"`
	Time     time.Time         `json:"time"`
	Kind     string            `json:"kind"`
	Account  string            `json:"account"`
	Region   string            `json:"region"`
	Resource string            `json:"resource"`
	OffPool  bool              `json:"off_pool"`
	Message  string            `json:"message"`
	Details  map[string]string `json:"details"`
}

// Render returns the event as a line for a terminal.
func (e Event) Render() string {
	message := e.Message
	if e.OffPool {
		message += warn.Render("  (off the pool)")
	}
	return fmt.Sprintf("%s %s  %s  %s\n", faint.Render(fmt.Sprintf("%6d", e.Seq)), faint.Render(e.Time.Local().Format("2006-01-02 15:04:05.000")),
		strong.Render(fmt.Sprintf("%-20s", e.Kind)), message)
}
