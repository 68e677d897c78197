package logship

import "testing"

// However many logs there are, a disk that stands still fills no more than a part of
// the memory.
func TestTheMemoryOfAllLogsIsBounded(t *testing.T) {
	s := &Shipper{rush: make(chan struct{}, 1)} // nobody writes
	line := make([]byte, 50_000)
	kept := 0
	var logs []*Log
	for dropped := s.dropped.Load; dropped() == 0; {
		l := &Log{shipper: s, queues: make([]queue, 1)}
		l.Line(0, line)
		logs = append(logs, l)
		kept++
	}
	if kept--; kept != maxMemory/len(line) {
		t.Errorf("%d lines of %d bytes are kept, want as many as %d bytes have room for", kept, len(line), maxMemory)
	}
	for _, l := range logs {
		for _, c := range l.queues[0].take() {
			s.memory.giveBack(c)
		}
	}
	if used := s.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes are in use by nobody", used)
	}
	one := &Log{shipper: s, queues: make([]queue, 1)}
	for range 3 * maxFull * largeChunk / len(line) {
		one.Line(0, line)
	}
	if used := s.memory.used.Load(); used > (maxFull+1)*largeChunk {
		t.Errorf("one thread's lines have %d bytes to themselves", used)
	}
}
