// Package ec2 serves the EC2 API: it decodes calls, checks what can be checked
// without state, asks the rooms, and renders their answers in EC2's shapes.
//
// It decides nothing about networks and addresses; those are package vpc's and
// package ipam's. Their errors become EC2's codes in one place (refusal), and
// every handler may return them as they are.
//
// A file is one noun: its handlers, its filters, its rendering. Start reading at
// API.Service, then list, which every Describe is made of.
//
// An API is safe for concurrent use.
package ec2
