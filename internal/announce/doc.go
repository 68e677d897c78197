// Package announce is how other networks come to know which prefixes are reached
// here.
//
// It decides how that is told, not what: the ipam room says which prefixes, from
// its records, and says it again at every start. Recorder tells nobody. It keeps
// what would be told, for an operator whose routers announce prefixes by other
// means.
//
// A Recorder is safe for concurrent use.
package announce
