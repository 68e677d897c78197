// Package inventory brings what is known of a network elsewhere into a pool, and
// out again: a file's lines become allocations, all of them or none, and pools
// with what is held in them become a file.
//
// It is a client of the public API like any other, and decides only what a file
// means: which of its lines are blocks, and which say nothing new because a
// larger block covers them.
//
// Start reading at Read, then Importer.Import; Exporter.Export.
package inventory
