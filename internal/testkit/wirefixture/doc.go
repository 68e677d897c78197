// Package wirefixture holds services to requests and replies that are written
// down: each file of a folder testdata/wire/NOUN is a request and the response
// that it must get, to the letter, but for what is new each time. Another case
// takes another file, and no code:
//
//	mark: confirmed | known | inferred
//	What it shows, where that is from.
//	-- given --
//	CreateIpamPool IpamScopeId=$private AddressFamily=ipv4
//	  pool = ipamPoolId
//	-- request --
//	Action=ModifyIpamPool
//	IpamPoolId=$pool
//	-- response 400 --
//	<?xml …
//
// The mark says how sure it is that AWS answers so: confirmed by its
// documentation or by what it was seen to answer, known to clients that depend
// on it, or inferred from the like.
//
// The given calls are made first, those of the file NOUN/given before them, and
// must succeed; a line that is indented keeps an element of the reply under a
// name, which stands for it from then on, in the response too. Space between
// elements doesn't count. A refused request may change nothing (I10).
//
// "go test -update" writes the responses that the server gives: read what that
// changed before you believe it.
//
// It knows no service: a test hands Run a World. Start reading at Run. Only tests
// import it.
package wirefixture
