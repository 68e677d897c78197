// Package bench measures what users wait for and what the machine pays:
// `make bench` runs it. Figures with date and versions are in RESULTS.md.
package bench
