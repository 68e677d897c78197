package proof

import (
	"net/netip"
	"strconv"
	"strings"
)

// Owners returns the names under which the token of that name must be found,
// one for each part of the CIDR whose reverse zone can be delegated as such
// (EC2 CreateIpamExternalResourceVerificationToken): an octet's, or a hex
// digit's of IPv6. A CIDR that ends between two is several, at most 128.
func Owners(token string, cidr netip.Prefix) []string {
	step, suffix := 8, "in-addr.arpa." // RFC 1035 §3.5
	if cidr.Addr().Is6() {
		step, suffix = 4, "ip6.arpa." // RFC 3596 §2.5
	}
	digits := (cidr.Bits() + step - 1) / step
	first := labels(cidr.Addr(), step)[:digits]
	owners := make([]string, 1<<(digits*step-cidr.Bits()))
	for n := range owners {
		var b strings.Builder
		b.WriteString(token + ".")
		for i := digits - 1; i >= 0; i-- {
			v := first[i]
			if i == digits-1 {
				v += n // below the CIDR's last bit all are zero, so there is no carry
			}
			if step == 4 {
				b.WriteString(strconv.FormatInt(int64(v), 16) + ".")
			} else {
				b.WriteString(strconv.Itoa(v) + ".")
			}
		}
		owners[n] = b.String() + suffix
	}
	return owners
}

// labels returns an address in pieces of step bits, 4 or 8.
func labels(a netip.Addr, step int) []int {
	var parts []int
	for _, b := range a.AsSlice() {
		if step == 4 {
			parts = append(parts, int(b>>4), int(b&0xf))
		} else {
			parts = append(parts, int(b))
		}
	}
	return parts
}
