// Package bucket fetches objects by bucket and key, and puts them, where the
// operator's configuration says that buckets are: directories of the server's
// machine, or URLs that a server of S3's kind answers on.
//
// An object is fetched whole, without a signature, and has a largest size. A key
// never leads out of its directory, through links neither.
//
// Start reading at Set.Fetch and Writer.Put. Both are safe for concurrent use.
package bucket
