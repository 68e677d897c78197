package proxy

import (
	"sync/atomic"
	"time"
)

// dates makes the values of Date, one a second.
type dates struct{ last atomic.Pointer[date] }

type date struct {
	second int64
	text   []byte
}

// imfFixdate is the form of dates in fields (RFC 9110 §5.6.7), in UTC.
const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"

// at returns the moment in IMF-fixdate.
func (d *dates) at(now time.Time) []byte {
	second := now.Unix()
	if last := d.last.Load(); last != nil && last.second == second {
		return last.text
	}
	next := &date{second: second, text: now.UTC().AppendFormat(nil, imfFixdate)}
	d.last.Store(next)
	return next.text
}
