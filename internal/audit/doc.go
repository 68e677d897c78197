// Package audit remembers which changes were asked of the API: by whom, from
// where, with which parameters, and how the call was answered.
//
// The log is files of JSON lines that only grow, segment after segment, within a
// bound on all of them together. It is written past the store, so that what the
// store can't take any more is still told of.
//
// A record is in its file, though not yet on the disk, before the caller has its
// answer: killing the process loses none. The disk is told to keep what was
// written within a second (syncEvery), and when a segment or the log ends: losing
// power loses that much. A file that can't be written, on a full disk say, stops
// no request: the change has been made already, and to refuse its answer would
// only hide it. What becomes of such a record stands at Log.Append.
//
// The room decides which calls are changes (Reads), what of them is secret
// (redact.go) and how long they are kept. Who may read them is its callers'
// matter: a record tells what any account did.
//
// Start reading at Record, then Log. A Log is safe for concurrent use.
package audit
