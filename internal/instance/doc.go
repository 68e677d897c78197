// Package instance is the inventory of machines that load balancers may send
// requests to by instance id. Nothing here starts or stops a machine: the
// operator says which there are, in the configuration file or with `fairlead
// instances`, and each is taken to run for as long as it is listed.
//
// An instance has an address that nodes reach it on. Its network, subnet and
// zone are what it is filed under: the address need not lie in the subnet's
// CIDR, and takes none of it. One without a VPC is in all of its account's.
//
// Two instances of an account never have one id or, within a network, one
// address: each of both has a record that adding writes. Removing an instance is
// never refused. Who registered it as a target finds it gone (elb's
// InstanceDirectory), as if it had been terminated.
//
// Start reading at Instance, then Service.Add and Service.Configure. Everything
// exported is safe for concurrent use.
package instance
