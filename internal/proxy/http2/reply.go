package http2

// maxResponseList is the largest header list of a response, by the count of RFC 9113
// §6.5.2: as much as http1 takes of a head.
const maxResponseList = 32 << 10

// statusOf takes the one pseudo-header field that a response has (RFC 9113 §8.3.2).
func (t *translation) statusOf(name, value string) {
	switch {
	case name != ":status":
		t.wrong = "unknown pseudo-header field"
	case t.has&hasStatus != 0:
		t.wrong = "pseudo-header field twice"
	case len(value) != 3 || value[0] < '1' || value[0] > '9' || !decimal(value[1]) || !decimal(value[2]):
		t.wrong = "no valid :status"
	case value == "101": // RFC 9113 §8.6
		t.wrong = "protocol change"
	}
	t.has |= hasStatus
	t.status = value
}

func decimal(c byte) bool { return '0' <= c && c <= '9' }

// startResponse writes the status line, without a reason: HTTP/2 has none.
func (t *translation) startResponse() {
	if t.line || t.wrong != "" {
		return
	}
	t.line = true
	if t.has&hasStatus == 0 {
		t.wrong = "no :status"
		return
	}
	t.head = append(t.head, "HTTP/1.1 "...)
	t.head = append(t.head, t.status...)
	t.head = append(t.head, " \r\n"...)
}

// ofResponse takes a field of a response that isn't a pseudo-header field.
func (t *translation) ofResponse(name, value string) {
	t.startResponse()
	if t.wrong != "" {
		return
	}
	if name == "content-length" && !t.declare(value) {
		return
	}
	t.add(name, value)
}

// finishResponse ends the head.
func (t *translation) finishResponse() {
	t.startResponse()
	if t.wrong == "" {
		t.head = append(t.head, "\r\n"...)
	}
}

// trailer takes a field behind a body. Those go no further that a receiver which
// merges them with the head's could take for what they aren't: framing, routing (RFC
// 9110 §6.5.1), and what is the load balancer's to say.
func (t *translation) trailer(name, value string) {
	if t.head == nil {
		return
	}
	switch name {
	case "content-length", "host", "te", "trailer", "cookie", "authorization", "content-encoding", "content-type", "content-range", "expect":
		return
	}
	if hasPrefix(name, "x-forwarded-") || hasPrefix(name, "x-amzn-") {
		return
	}
	if len(t.head) == 0 {
		t.head = append(t.head, noTable)
	}
	t.head = AppendField(t.head, name, value)
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
