package proof

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Message is what the holder of a CIDR signs to let an account use it (EC2
// CidrAuthorizationContext): 1|aws|ACCOUNT|CIDR|YYYYMMDD|SHA256|RSAPSS.
type Message struct {
	Account string       // 12 digits
	CIDR    netip.Prefix // masked
	Expires time.Time    // the last day on which it holds, at 0 h UTC
}

const (
	maxMessageBytes = 128 // more than the longest IPv6 CIDR makes of it
	expiryDay       = "20060102"
)

// ParseMessage reads a message. What it accepts it would write the same way. Its
// error is a *ClaimError.
func ParseMessage(s string) (Message, error) {
	if len(s) > maxMessageBytes {
		return Message{}, mistaken("the message is longer than %d bytes", maxMessageBytes)
	}
	f := strings.Split(s, "|")
	if len(f) != 7 || f[0] != "1" || f[1] != "aws" || f[5] != "SHA256" || f[6] != "RSAPSS" {
		return Message{}, mistaken("the message must be 1|aws|ACCOUNT|CIDR|YYYYMMDD|SHA256|RSAPSS")
	}
	m := Message{Account: f[2]}
	if len(m.Account) != 12 || strings.Trim(m.Account, "0123456789") != "" {
		return Message{}, mistaken("the message's account must have 12 digits")
	}
	var err error
	if m.CIDR, err = netip.ParsePrefix(f[3]); err != nil || m.CIDR != m.CIDR.Masked() {
		return Message{}, mistaken("the message's CIDR must be a prefix without host bits")
	}
	if m.Expires, err = time.Parse(expiryDay, f[4]); err != nil {
		return Message{}, mistaken("the message's expiry must be a day, as YYYYMMDD")
	}
	if m.String() != s {
		return Message{}, mistaken("the message's CIDR must be written as %s", m.CIDR)
	}
	return m, nil
}

// String returns the message as it is signed.
func (m Message) String() string {
	return fmt.Sprintf("1|aws|%s|%s|%s|SHA256|RSAPSS", m.Account, m.CIDR, m.Expires.Format(expiryDay))
}

// check says what in the message doesn't fit the claim that it came with.
func (m Message) check(c Claim) error {
	switch {
	case m.Account != c.Account:
		return mistaken("the message is for account %s, and the request is account %s's", m.Account, c.Account)
	case m.CIDR != c.CIDR:
		return mistaken("the message is for %s, and the request for %s", m.CIDR, c.CIDR)
	case !c.Time.Before(m.Expires.AddDate(0, 0, 1)): // through the end of its last day
		return mistaken("the message expired on %s", m.Expires.Format(time.DateOnly))
	}
	return nil
}
