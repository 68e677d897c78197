// Package e2e tells the stories of the product with unmodified AWS clients over
// real sockets: real HTTP through real listeners, real DNS queries. It is the
// one package that links the SDK's EC2 client. Start reading at stories_test.go.
package e2e
