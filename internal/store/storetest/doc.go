// Package storetest says by tests what a store.Engine does (Run), and what a
// Store makes of any engine (RunStore). memstore and etcd both pass, so that a
// unit test over the one is believed about the other. Rough is an engine for
// tests of what is above: all that may go wrong with one does.
//
// Start reading at Run.
package storetest
