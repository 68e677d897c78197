package accesslog

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"
)

// stamp is how all logs write a time, in UTC.
const stamp = "2006-01-02T15:04:05.000000Z"

func appendTime(dst []byte, t time.Time) []byte { return t.UTC().AppendFormat(dst, stamp) }

// appendSeconds writes a duration in seconds with milliseconds; "-1" if it is
// negative: there was none.
func appendSeconds(dst []byte, d time.Duration) []byte {
	if d < 0 {
		return append(dst, "-1"...)
	}
	return strconv.AppendFloat(dst, d.Seconds(), 'f', 3, 64)
}

// appendAddrPort writes an address with its port, "-" for none.
func appendAddrPort(dst []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return append(dst, '-')
	}
	return a.AppendTo(dst)
}

// appendAddr writes an address, "-" for none.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(dst, '-')
	}
	return a.AppendTo(dst)
}

// appendWord writes a field that isn't quoted, "-" for none. It is none of a
// client's words.
func appendWord(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, '-')
	}
	return append(dst, s...)
}

// ConnTrace names a connection, in all that is logged of it.
type ConnTrace [16]byte

func appendConnTrace(dst []byte, t ConnTrace) []byte {
	if t == (ConnTrace{}) {
		return append(dst, '-')
	}
	return hex.AppendEncode(append(dst, "TID_"...), t[:])
}

const hexDigits = "0123456789ABCDEF"

// plain are the bytes that a quoted field has as they are.
var plain [256]bool

func init() {
	for c := byte(' '); c <= '~'; c++ {
		plain[c] = c != '"' && c != '\\'
	}
}

// appendEscaped writes a client's words: what isn't visible, and what would end or
// confuse a quoted field, in hexadecimal.
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for i := range len(s) {
		if c := s[i]; !plain[c] {
			dst = append(dst, s[from:i]...)
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}

// appendQuoted writes a quoted field with its space before, "-" in it for none.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, ` "`...)
	if len(s) == 0 {
		dst = append(dst, '-')
	} else {
		dst = appendEscaped(dst, s)
	}
	return append(dst, '"')
}
