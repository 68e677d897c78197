// Package etcd is store.Engine over etcd: a member of its own inside this
// process (Open), or a cluster elsewhere (Dial). Both speak through one
// clientv3.Client, so that there is one code path; the embedded member is
// called by function, not over a socket, and listens on nothing.
//
// The package decides how etcd is tuned and how its errors read; what is kept
// in it is package store's business.
//
// An Engine is safe for concurrent use. Start reading at Engine, then Open.
package etcd
