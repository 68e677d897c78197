// Package bucket fetches objects by bucket and key, from where the operator's
// configuration says that buckets are: directories of the server's machine, or
// URLs that a server of S3's kind answers on without a signature.
//
// It only reads. An object comes whole and has a largest size. A key never leads
// out of its directory, through links neither.
//
// Start reading at Set.Fetch. A Set is safe for concurrent use.
package bucket
