// Package vpc decides what an account's networks consist of: VPCs, subnets,
// internet gateways, route tables, security groups, network interfaces and the
// public addresses that are associated with them.
//
// It doesn't decide which public address or CIDR comes next: that is the pools',
// which it knows as Pools. What a VPC or a subnet draws is drawn in the
// transaction that writes it, and given back in the one that ends it (obtain).
// It moves no packet; what it says about an interface is carried out elsewhere.
//
// A change is one transaction. A rule about a set (subnets of a VPC don't
// overlap; a subnet with interfaces stays) holds because whoever adds to the
// set writes the record that stands for it, the VPC, the subnet, the security
// group, even where its content stays the same; whoever judges the set reads
// that record. What only reads takes a store.Reader and costs no lock.
//
// Interfaces and public addresses are of two kinds in one record each: what a
// load balancer's node has (node.go), which its account sees and can't change,
// and what the account makes for itself. An association stands in both records,
// the interface's and the address's, and changes in both at once.
//
// Ids that no caller gives are derived from what they belong to (derived), so
// that a repeated step finds what it made before.
//
// Start reading at Service, then VPC, then Service.CreateInterface,
// then Service.AssociateAddress.
// Everything exported is safe for concurrent use.
package vpc
