package accesslog

import (
	"net/netip"
	"strconv"
	"time"
)

// maxUserAgent is how much of a user agent is written (ELB user guide).
const maxUserAgent = 8 << 10

// Access is one line of an access log: one request. Fields that are zero are
// written as "-" unless said otherwise.
type Access struct {
	Type    string    // "http", "https", "h2", "grpcs", "ws", "wss"
	Time    time.Time // when the response was there; of a tunnel, its end
	ELB     string    // "app/NAME/ID"
	Client  netip.AddrPort
	Target  netip.AddrPort
	Node    netip.Addr
	Created time.Time // when the request's head was there

	// How long the request took to get to the target, the target to begin its
	// response, and the response to begin to get to the client; negative: there was
	// no such thing.
	RequestTime, TargetTime, ResponseTime time.Duration

	Status       int // to the client; 0 ("000"): none, the connection ended
	TargetStatus int // 0: the target has not answered

	Received, Sent int64 // bytes, with heads

	Request Request // as the client sent it

	UserAgent []byte
	Cipher    string // OpenSSL's name
	Protocol  string // of TLS: "TLSv1.3"

	TargetGroup string // ARN
	TraceID     []byte // as it was sent to the target
	Domain      string // that the client's TLS named
	Certificate string // ARN, or "session-reused"

	Priority int    // of the rule: 0 for the default rule, NoRule, RuleError
	Actions  string // that were done: "forward"
	Redirect []byte // Location

	Error          string    // why the actions couldn't be done
	Classification string    // "Ambiguous"; "" of a compliant request
	Reason         string    // of the classification
	ConnTrace      ConnTrace // joins the line to that of its connection

	TransformedHost, TransformedURI []byte
	TransformStatus                 string
}

// Priorities that aren't a rule's.
const (
	NoRule    = -2 // written as "-"
	RuleError = -1
)

// Request is a request line. The zero value is one that couldn't be read.
type Request struct {
	Method []byte
	Scheme string // "http", "https"
	Host   []byte // without a port
	Port   uint16 // the listener's
	Target []byte // path and query
	Proto  string // "HTTP/1.1"
}

// AppendTo appends the request as a line has it, without its quotes.
func (r *Request) AppendTo(dst []byte) []byte {
	if len(r.Method) == 0 {
		dst = append(dst, "- "...)
		dst = append(dst, r.Scheme...)
		dst = append(dst, "://"...)
		dst = appendEscaped(dst, r.Host)
		dst = append(dst, ':')
		dst = strconv.AppendUint(dst, uint64(r.Port), 10)
		return append(dst, "- -"...)
	}
	dst = appendEscaped(dst, r.Method)
	dst = append(dst, ' ')
	dst = append(dst, r.Scheme...)
	dst = append(dst, "://"...)
	dst = appendEscaped(dst, r.Host)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, uint64(r.Port), 10)
	dst = appendEscaped(dst, r.Target)
	dst = append(dst, ' ')
	return append(dst, r.Proto...)
}

// AppendTo appends the line with its end (ELB user guide, access log entries).
func (a *Access) AppendTo(dst []byte) []byte {
	dst = append(dst, a.Type...)
	dst = append(dst, ' ')
	dst = appendTime(dst, a.Time)
	dst = append(dst, ' ')
	dst = append(dst, a.ELB...)
	dst = append(dst, ' ')
	dst = appendAddrPort(dst, a.Client)
	dst = append(dst, ' ')
	target := len(dst)
	dst = appendAddrPort(dst, a.Target)
	targetEnd := len(dst)
	dst = append(dst, ' ')
	dst = appendSeconds(dst, a.RequestTime)
	dst = append(dst, ' ')
	dst = appendSeconds(dst, a.TargetTime)
	dst = append(dst, ' ')
	dst = appendSeconds(dst, a.ResponseTime)
	dst = append(dst, ' ')
	dst = appendStatus(dst, a.Status, "000")
	dst = append(dst, ' ')
	dst = appendStatus(dst, a.TargetStatus, "-")
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, a.Received, 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, a.Sent, 10)
	dst = append(dst, ` "`...)
	dst = a.Request.AppendTo(dst)
	dst = append(dst, '"')
	dst = appendQuoted(dst, a.UserAgent[:min(len(a.UserAgent), maxUserAgent)])
	dst = append(dst, ' ')
	dst = appendWord(dst, a.Cipher)
	dst = append(dst, ' ')
	dst = appendWord(dst, a.Protocol)
	dst = append(dst, ' ')
	dst = appendWord(dst, a.TargetGroup)
	dst = appendQuoted(dst, a.TraceID)
	dst = appendQuotedString(dst, a.Domain)
	dst = appendQuotedWord(dst, a.Certificate)
	dst = append(dst, ' ')
	if a.Priority == NoRule {
		dst = append(dst, '-')
	} else {
		dst = strconv.AppendInt(dst, int64(a.Priority), 10)
	}
	dst = append(dst, ' ')
	dst = appendTime(dst, a.Created)
	dst = appendQuotedWord(dst, a.Actions)
	dst = appendQuoted(dst, a.Redirect)
	dst = appendQuotedWord(dst, a.Error)
	dst = append(dst, ` "`...)
	dst = append(dst, dst[target:targetEnd]...)
	dst = append(dst, `" "`...)
	dst = appendStatus(dst, a.TargetStatus, "-")
	dst = append(dst, '"')
	dst = appendQuotedWord(dst, a.Classification)
	dst = appendQuotedWord(dst, a.Reason)
	dst = append(dst, ' ')
	dst = appendConnTrace(dst, a.ConnTrace)
	dst = appendQuoted(dst, a.TransformedHost)
	dst = appendQuoted(dst, a.TransformedURI)
	dst = appendQuotedWord(dst, a.TransformStatus)
	dst = append(dst, ' ')
	dst = appendAddr(dst, a.Node)
	return append(dst, '\n')
}

func appendStatus(dst []byte, status int, none string) []byte {
	if status == 0 {
		return append(dst, none...)
	}
	return strconv.AppendInt(dst, int64(status), 10)
}
