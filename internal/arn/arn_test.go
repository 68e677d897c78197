package arn_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/arn"
)

func TestParseAndStringAreInverse(t *testing.T) {
	for _, s := range []string{
		"arn:aws:elasticloadbalancing:local-1:111122223333:loadbalancer/app/shop/0123456789abcdef",
		"arn:aws:ec2::111122223333:ipam-pool/ipam-pool-0a1b2c3d4e5f60718",
		"arn:aws:iam::111122223333:root",
		"arn:aws:acm:local-1:1:certificate/a:b",
	} {
		a, err := arn.Parse(s)
		if err != nil || a.String() != s {
			t.Errorf("%s: got %q, %v", s, a, err)
		}
	}
	if a, _ := arn.Parse("arn:aws:ec2::1:ipam-pool/x"); a.Type() != "ipam-pool" || a.Region != "" || a.Account != "1" {
		t.Errorf("parts: got %+v", a)
	}
}

func TestParseRefusesWhatIsNoARN(t *testing.T) {
	for _, s := range []string{"", "arn", "arn:aws:ec2:r:a", "arn::ec2:r:a:x", "arn:aws::r:a:x", "arn:aws:ec2:r:a:", "xrn:aws:ec2:r:a:x"} {
		if a, err := arn.Parse(s); err == nil {
			t.Errorf("%q: got %+v, want an error", s, a)
		}
	}
}
