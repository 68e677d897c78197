// Package acm serves the ACM API: it decodes calls, checks what can be checked
// without state, asks the certs room, and renders its answers in the service's
// shapes.
//
// It decides nothing about certificates. The room's errors become the service's
// codes in one place (refusal). Start reading at API.Service. An API is safe for
// concurrent use.
package acm
