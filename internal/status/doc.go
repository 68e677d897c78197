// Package status is what the server tells its operator of itself: the report
// that the ops address answers, and how a terminal shows it. It asks nothing
// and decides nothing. Start reading at Report.
package status
