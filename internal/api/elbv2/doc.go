// Package elbv2 serves the ELBv2 API: it decodes calls, checks what can be
// checked without state, asks the elb room, and renders its answers in the
// service's shapes and normal forms.
//
// It decides nothing about load balancers. The room's errors become the
// service's codes in one place (refusal). A file is one noun. Start reading at
// API.Service. An API is safe for concurrent use.
package elbv2
