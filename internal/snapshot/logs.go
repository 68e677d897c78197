package snapshot

// Logs are where a load balancer's logs go (ELBv2 LoadBalancerAttribute,
// access_logs.s3 and the like).
type Logs struct {
	Access       Bucket `json:",omitzero"`
	Connections  Bucket `json:",omitzero"`
	HealthChecks Bucket `json:",omitzero"`
}

// Bucket is where the objects of a log are put; the zero value: it isn't kept.
type Bucket struct {
	Name   string
	Prefix string `json:",omitempty"` // of their keys
}
