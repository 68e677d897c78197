// Package config is what an operator decides before the server starts: the
// settings, their defaults, and the YAML file that they may be written in.
//
// The file's keys are the long flags' names; what has no flag (regions,
// accounts) is in the file alone. A key that isn't known, or a value that
// can't be right, is refused with its line: a misspelt setting that is quietly
// ignored costs its owner a day. The package reads the file and checks; it
// starts nothing.
//
// Start reading at Config.
package config
