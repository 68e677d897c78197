// Package wire speaks the AWS protocols and knows no domain noun: it checks
// signatures (SigV4), decodes the query, EC2 query and JSON protocols into the
// generated shapes, dispatches by service and action, and writes replies and
// errors in each protocol's envelope.
//
// The API rooms register typed handlers (Handle) on a Service; a Server is the
// http.Handler for all services. Whatever a client sends, the answer is one that
// its SDK understands, nothing has happened when it is an error of this room,
// and the process lives.
//
// Start reading at Server.ServeHTTP. Services are set up before they serve;
// after that everything is safe for concurrent use.
package wire
