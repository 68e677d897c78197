// Package arch keeps the shape of the program: which package may import which,
// who may import the libraries that carry a border with them (etcd, DNS, the AWS
// SDK, system calls), and that every package says once what it is for.
//
// It has tests only, and they read the sources themselves, so that a new import
// is seen the next time the tests run. Who adds a package or an edge adds it to
// table_test.go, where a reviewer sees it as a line of its own.
//
// Start reading at table_test.go.
package arch
