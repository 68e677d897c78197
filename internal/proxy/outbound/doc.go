// Package outbound asks the providers that load balancers are told to rely on: for
// keys, tokens and what is known of users.
//
// Who may make a rule names the URLs, and so has us send requests from where the
// host is. The package decides where they may go: to https alone, to public
// addresses alone but for those that the operator allows, and never by a redirect to
// somebody else. An address is looked at when it is connected to, not before, so
// that a name can't mean another one by then. It also decides how long an answer may take and
// how long it may be. It doesn't decide what is asked, when, or what an answer means.
//
// Everything is safe for concurrent use. Start reading at New.
package outbound
