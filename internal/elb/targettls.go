package elb

import (
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Attributes of target groups whose targets are spoken to within TLS.
const (
	attrVerification = "fairlead.target_tls.verification" // of targets' certificates
	attrServerName   = "fairlead.target_tls.server_name"  // that targets are asked for; "": the host that a request is for
)

// What a target's certificate is verified by.
const (
	verifyNone   = "none"   // it isn't, as with AWS
	verifySystem = "system" // by the authorities that the hosts of nodes believe
)

// targetTLSAttributes are those of target groups with the protocol HTTPS.
var targetTLSAttributes = attributes{
	{attrVerification, verifyNone, oneOf(verifyNone, verifySystem)},
	{attrServerName, "", empty(serverName)},
}

// checkTargetTLS refuses those attributes where they would have no effect.
func (g TargetGroup) checkTargetTLS(changes map[string]string) error {
	for _, a := range targetTLSAttributes {
		if _, given := changes[a.key]; given && g.Protocol != "HTTPS" {
			return fail(InvalidConfiguration, "The attribute '%s' requires a target group with the protocol HTTPS", a.key)
		}
	}
	return nil
}

// serverName accepts a name that can be asked for in TLS (RFC 6066 §3): one of DNS, in
// lower case, without a dot at its end.
func serverName(v string) string {
	const must = "a DNS name in lower case, not an IP address"
	labels := strings.Split(v, ".")
	if len(v) > 253 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return must
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" ||
			strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return must
		}
	}
	return ""
}

// projectTargetTLS makes what a host must know of how targets are spoken to within
// TLS. hybrid says that a listener with a policy of hybrid key exchange forwards to
// them: what is asked of clients is offered to targets.
func projectTargetTLS(g TargetGroup, hybrid bool) snapshot.TargetTLS {
	if g.Protocol != "HTTPS" {
		return snapshot.TargetTLS{}
	}
	return snapshot.TargetTLS{Verify: g.attribute(attrVerification) == verifySystem, ServerName: g.attribute(attrServerName), PostQuantum: hybrid}
}

// forwardsHybrid says whether a listener of the load balancer with a policy of hybrid
// key exchange forwards to the target group.
func forwardsHybrid(b *snapshot.LoadBalancer, group string) bool {
	for i := range b.Listeners {
		if t := b.Listeners[i].TLS; t == nil || !t.PostQuantum {
			continue
		}
		for _, r := range b.Listeners[i].Rules {
			for _, a := range r.Actions {
				if a.Forward == nil {
					continue
				}
				for _, share := range a.Forward.TargetGroups {
					if share.ARN == group {
						return true
					}
				}
			}
		}
	}
	return false
}
