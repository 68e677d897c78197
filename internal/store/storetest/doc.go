// Package storetest says by tests what a store.Engine does (Run), and what a
// Store makes of any engine (RunStore). memstore and etcd both pass, so that a
// unit test over the one is believed about the other.
//
// Start reading at Run.
package storetest
