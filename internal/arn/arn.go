// Package arn takes Amazon Resource Names apart and puts them together.
package arn

import (
	"fmt"
	"strings"
)

// ARN is arn:Partition:Service:Region:Account:Resource. Region and Account may be
// empty; Resource may hold colons and slashes. ARNs are comparable.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse reads an ARN.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN (arn:partition:service:region:account:resource)", s)
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// New returns an ARN in the partition "aws".
func New(service, region, account, resource string) ARN {
	return ARN{Partition: "aws", Service: service, Region: region, Account: account, Resource: resource}
}

// String returns the ARN in its written form; "" for the zero ARN.
func (a ARN) String() string {
	if a == (ARN{}) {
		return ""
	}
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Type returns the kind of resource: what precedes the first slash.
func (a ARN) Type() string {
	t, _, _ := strings.Cut(a.Resource, "/")
	return t
}
