// Package server joins the rooms into one process: it gives each what it
// declared that it needs of another, starts them in order, serves the APIs, DNS
// and operators, and stops all of it again. It takes no decision that a room
// could take.
//
// Start reading at Run, then build.
package server
