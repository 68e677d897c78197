// Package node is the agent of one host: it makes the host carry what the
// control plane assigns to it, and reports what it sees.
//
// It decides the order of steps: addresses are attached before listeners open,
// and detached after the last socket on them is closed. An assignment is applied
// whole, then written to disk, then reported. It doesn't decide what the host
// carries, and it needs the control plane for nothing but news: with none there,
// it goes on, and starts again from the assignment on its disk (I7).
//
// How requests are carried is proxy's, which targets are fit for them health's,
// how addresses come onto the host attach's. Start reading at Agent.Run.
//
// Every method of Agent is safe for concurrent use.
package node
