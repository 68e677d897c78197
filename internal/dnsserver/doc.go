// Package dnsserver is Fairlead's authoritative DNS server: it answers over UDP
// and TCP, from memory, for the zones and names that it is given.
//
// It decides how a question is answered (RFC 1034, 1035, 2308, 6891, 7766, 8482)
// and in which order the addresses of a name come. It doesn't decide what is in
// DNS: which addresses serve (invariant I4), for how long, and under which names
// is the caller's, who says so with SetZone, Put, Remove and Reset. There is no
// recursion, no zone transfer, no delegation, no wildcard and no signing; "*" is
// a label like any other.
//
// Every method of Server is safe for concurrent use. Queries take no lock: they
// walk a hash table whose links are atomic pointers, while one writer at a time
// changes it. A change of one name costs the same whatever the number of names,
// but for the few that double the table and make the writer, not the queries,
// wait. Every query sees a name either before or after a change, never between.
//
// A query passes through the files in this order: udp.go and tcp.go receive it,
// query.go reads it, answer.go decides and writes the response, table.go finds
// the name, records.go is how names and zones are kept: packed once, when they
// are set. Start reading at answer.go.
package dnsserver
