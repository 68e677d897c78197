package proof

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Bounds of what one claim asks of the resolver, and of all claims together.
const (
	maxClaimsAtOnce    = 4
	questionsAtOnce    = 8
	triesPerQuestion   = 2
	maxAliases         = 8
	defaultTimeout     = 2 * time.Second
	maxTimeOfOneClaim  = 20 * time.Second
	maxMessageUDPBytes = 1232 // what fits any path (DNS flag day 2020)
)

// DNS verifies claims by TXT records that a resolver finds.
type DNS struct {
	resolver string
	timeout  time.Duration
	claims   chan struct{} // a place for each claim that is being looked up
}

// NewDNS returns a verifier that asks the recursive resolver at HOST:PORT, and
// waits for each answer so long, 0 for two seconds.
func NewDNS(resolver string, timeout time.Duration) *DNS {
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return &DNS{resolver: resolver, timeout: timeout, claims: make(chan struct{}, maxClaimsAtOnce)}
}

// Verify implements Verifier: every one of Owners must have a TXT record with
// the token's value.
func (d *DNS) Verify(ctx context.Context, c Claim) error {
	if c.TokenName == "" || c.TokenValue == "" {
		return mistaken("the claim has no token")
	}
	ctx, cancel := context.WithTimeout(ctx, maxTimeOfOneClaim)
	defer cancel()
	select {
	case d.claims <- struct{}{}:
		defer func() { <-d.claims }()
	case <-ctx.Done():
		return unproven(ctx.Err(), "The resolver is busy with other claims.")
	}
	owners := Owners(c.TokenName, c.CIDR)
	for some := range slices.Chunk(owners, questionsAtOnce) {
		faults := make([]error, len(some))
		var asked sync.WaitGroup
		for i, owner := range some {
			asked.Go(func() { faults[i] = d.find(ctx, owner, c.TokenValue) })
		}
		asked.Wait()
		for _, err := range faults {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// find looks for a TXT record of the value. It waits for a slow resolver, but
// not for a record to appear.
func (d *DNS) find(ctx context.Context, owner, value string) error {
	answer, err := d.ask(ctx, owner)
	shown := strings.TrimSuffix(owner, ".")
	switch {
	case err != nil:
		return unproven(err, "The TXT record %s can't be looked up: the resolver doesn't answer.", shown)
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return unproven(nil, "The TXT record %s can't be looked up: the resolver answers %s.", shown, dns.RcodeToString[answer.Rcode])
	}
	texts := textsOf(answer, owner)
	switch {
	case len(texts) == 0:
		return unproven(nil, "There is no TXT record %s.", shown)
	case !slices.Contains(texts, value):
		return unproven(nil, "The TXT record %s has another value than the token's.", shown)
	}
	return nil
}

// ask sends the question, by TCP where the answer is too long for UDP (RFC 7766 §5).
func (d *DNS) ask(ctx context.Context, owner string) (answer *dns.Msg, err error) {
	q := new(dns.Msg)
	q.SetQuestion(owner, dns.TypeTXT)
	q.SetEdns0(maxMessageUDPBytes, false)
	network := "udp"
	for range triesPerQuestion {
		answer, err = d.exchange(ctx, network, q)
		if err == nil && answer.Truncated && network == "udp" {
			network = "tcp"
			answer, err = d.exchange(ctx, network, q)
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return answer, err
}

func (d *DNS) exchange(ctx context.Context, network string, q *dns.Msg) (*dns.Msg, error) {
	client := dns.Client{Net: network, Timeout: d.timeout, UDPSize: maxMessageUDPBytes}
	answer, _, err := client.ExchangeContext(ctx, q, d.resolver)
	if err != nil {
		return nil, err
	}
	if len(answer.Question) != 1 || !sameName(answer.Question[0].Name, q.Question[0].Name) || answer.Question[0].Qtype != dns.TypeTXT {
		return nil, errors.New("the resolver answered another question")
	}
	return answer, nil
}

// textsOf returns the texts that an answer has for a name, or for what it is an
// alias of: reverse zones of less than an octet are delegated so (RFC 2317).
func textsOf(answer *dns.Msg, name string) []string {
	for range maxAliases {
		var texts []string
		alias := ""
		for _, rr := range answer.Answer {
			if !sameName(rr.Header().Name, name) {
				continue
			}
			switch rr := rr.(type) {
			case *dns.TXT:
				texts = append(texts, strings.Join(rr.Txt, "")) // pieces of 255 bytes (RFC 1035 §3.3.14)
			case *dns.CNAME:
				alias = rr.Target
			}
		}
		if len(texts) > 0 || alias == "" {
			return texts
		}
		name = alias
	}
	return nil
}

func sameName(a, b string) bool { return dns.CanonicalName(a) == dns.CanonicalName(b) }
