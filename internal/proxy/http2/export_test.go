package http2

import "fmt"

// Held is how much memory of what a client has sent, or makes us send, a session
// holds, in bytes.
func (s *Session) Held() int {
	n := cap(s.control) + cap(s.list.head) + cap(s.list.crumbs)
	for _, st := range s.streams {
		n += len(st.Head) + cap(st.body) + cap(st.heads) + cap(st.unsent)
	}
	return n
}

// Check returns what of a session's books doesn't add up. working are the streams
// that somebody is at work on.
func (s *Session) Check(working []*Stream) error {
	buffered, unsent, heads := 0, 0, 0
	for _, st := range working {
		heads += 2 * len(st.Head)
		if s.streams[st.id] != st {
			buffered += len(st.body) - st.read
		}
	}
	for id, st := range s.streams {
		buffered += len(st.body) - st.read
		unsent += len(st.unsent) - st.unsentFrom
		switch {
		case st.err != nil || st.id != id || st.over():
			return fmt.Errorf("stream %d is over, and there", id)
		case st.window < 0 || st.window > s.grant:
			return fmt.Errorf("stream %d has a window of %d", id, st.window)
		case len(st.unsent)-st.unsentFrom > maxUnsent:
			return fmt.Errorf("stream %d holds %d bytes of its response", id, len(st.unsent))
		case !st.queued && st.due():
			return fmt.Errorf("stream %d has something to send, and no turn", id)
		}
	}
	switch {
	case unsent != s.unsent || s.err == nil && s.Holds() != heads+buffered+unsent:
		return fmt.Errorf("%d bytes are held, %d, %d and %d counted", s.Holds(), heads, buffered, unsent)
	case s.window < 0 || !s.asks && s.window+s.owed+buffered != s.most && s.err == nil || s.asks && s.window+s.owed != s.most:
		return fmt.Errorf("a window of %d, %d owed and %d buffered", s.window, s.owed, buffered)
	case !s.asks && len(s.streams) > MaxStreams || s.abandoned < 0 || len(s.streams)+s.abandoned > 2*MaxStreams:
		return fmt.Errorf("%d streams, and %d abandoned", len(s.streams), s.abandoned)
	case len(s.control) > maxControl+maxFrameSize:
		return fmt.Errorf("%d bytes of answers", len(s.control))
	}
	return nil
}
