package accesslog

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"
)

// appendTime writes a time as all logs do, in UTC with microseconds:
// "2006-01-02T15:04:05.000000Z". It is worth some care: a line has two of them.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, int(month), 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, hour, 2), ':')
	dst = append(appendDigits(dst, minute, 2), ':')
	dst = append(appendDigits(dst, second, 2), '.')
	return append(appendDigits(dst, t.Nanosecond()/int(time.Microsecond), 6), 'Z')
}

// appendDigits writes the last digits of a number that isn't negative.
func appendDigits(dst []byte, n, digits int) []byte {
	var b [9]byte
	for i := digits - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, b[:digits]...)
}

// appendSeconds writes a duration in seconds with milliseconds, to the nearest;
// "-1" if it is negative: there was none.
func appendSeconds(dst []byte, d time.Duration) []byte {
	if d < 0 {
		return append(dst, "-1"...)
	}
	d = d.Round(time.Millisecond)
	dst = append(strconv.AppendInt(dst, int64(d/time.Second), 10), '.')
	return appendDigits(dst, int(d%time.Second/time.Millisecond), 3)
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
func appendEscaped(dst, s []byte) []byte {
	for len(s) > 0 {
		n := plainPrefix(s)
		dst = append(dst, s[:n]...)
		if s = s[n:]; len(s) > 0 {
			dst = append(dst, '\\', 'x', hexDigits[s[0]>>4], hexDigits[s[0]&15])
			s = s[1:]
		}
	}
	return dst
}

// plainPrefix returns how many bytes s begins with that are written as they are. It
// looks at eight at once, as nearly all are.
func plainPrefix(s []byte) (n int) {
	for len(s)-n >= 8 && allPlain(binary.LittleEndian.Uint64(s[n:])) {
		n += 8
	}
	for n < len(s) && plain[s[n]] {
		n++
	}
	return n
}

// Of each of eight bytes, the lowest and the highest bit.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// allPlain says whether all eight bytes of x are plain.
func allPlain(x uint64) bool {
	control := (x - lows*' ') &^ x
	return (x|control|isZero(x^lows*'"')|isZero(x^lows*'\\')|isZero(x^lows*0x7f))&highs == 0
}

// isZero sets the highest bit of the lowest byte of x that is zero, and of none if
// none is. What it says of bytes above that one means nothing.
func isZero(x uint64) uint64 { return (x - lows) &^ x }

// appendQuoted writes a client's words as a quoted field with its space before, "-"
// in it for none.
func appendQuoted(dst, s []byte) []byte {
	if len(s) == 0 {
		return append(dst, ` "-"`...)
	}
	dst = append(dst, ` "`...)
	return append(appendEscaped(dst, s), '"')
}

// appendQuotedString is appendQuoted of a string.
func appendQuotedString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, ` "-"`...)
	}
	dst = append(dst, ` "`...)
	n := len(dst)
	dst = append(dst, s...)
	if plainPrefix(dst[n:]) < len(s) {
		dst = appendEscaped(dst[:n], []byte(s))
	}
	return append(dst, '"')
}

// appendQuotedWord is appendQuotedString of what is none of a client's words.
func appendQuotedWord(dst []byte, s string) []byte {
	dst = append(dst, ` "`...)
	return append(appendWord(dst, s), '"')
}
