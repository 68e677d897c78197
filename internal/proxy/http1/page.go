package http1

import "strconv"

// titles are the status lines of the responses that a load balancer makes
// itself, where they differ from the registered phrases or are often used.
var titles = map[int]string{
	301: "301 Moved Permanently",
	302: "302 Found",
	400: "400 Bad Request",
	401: "401 Authorization Required",
	403: "403 Forbidden",
	405: "405 Not Allowed",
	408: "408 Request Time-out",
	413: "413 Request Entity Too Large",
	414: "414 Request-URI Too Large",
	417: "417 Expectation Failed",
	460: "460",
	463: "463",
	464: "464",
	500: "500 Internal Server Error",
	501: "501 Not Implemented",
	502: "502 Bad Gateway",
	503: "503 Service Temporarily Unavailable",
	504: "504 Gateway Time-out",
	505: "505 HTTP Version Not Supported",
	507: "507 Insufficient Storage",
}

// phrases are those of the statuses that a fixed response has most often.
var phrases = map[int]string{
	200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content",
	205: "Reset Content", 206: "Partial Content",
	400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required",
	412: "Precondition Failed", 413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
	417: "Expectation Failed", 418: "I'm a teapot", 422: "Unprocessable Entity", 425: "Too Early",
	426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
	431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Gateway Timeout", 505: "HTTP Version Not Supported", 511: "Network Authentication Required",
}

// server is how an ALB names itself in what it answers itself. Clients and
// monitoring tell by it who answered.
const server = "Server: awselb/2.0\r\n"

// AppendPage appends a whole response that the load balancer makes itself: the
// small HTML page that ALB answers errors with. head leaves the body out.
func AppendPage(dst []byte, status int, head bool, d *Delivery) []byte {
	return appendPage(dst, status, nil, head, d)
}

// AppendRedirect appends a whole redirect to the location.
func AppendRedirect(dst []byte, status int, location []byte, head bool, d *Delivery) []byte {
	return appendPage(dst, status, location, head, d)
}

func appendPage(dst []byte, status int, location []byte, head bool, d *Delivery) []byte {
	title, ok := titles[status]
	if !ok {
		title = strconv.Itoa(status)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, title...)
	if len(title) == len("460") {
		dst = append(dst, ' ') // RFC 9112 §4: there even without a reason
	}
	dst = appendOwn(append(dst, "\r\n"...), d)
	dst = append(dst, "Content-Type: text/html\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(92+2*len(title)), 10)
	dst = append(dst, "\r\n"...)
	if location != nil {
		dst = append(dst, "Location: "...)
		dst = append(dst, location...)
		dst = append(dst, "\r\n"...)
	}
	dst = appendConnection(dst, d.Close, true)
	dst = append(dst, "\r\n"...)
	if head {
		return dst
	}
	dst = append(dst, "<html>\r\n<head><title>"...)
	dst = append(dst, title...)
	dst = append(dst, "</title></head>\r\n<body>\r\n<center><h1>"...)
	dst = append(dst, title...)
	return append(dst, "</h1></center>\r\n</body>\r\n</html>\r\n"...)
}

// appendOwn appends the fields that every response of the load balancer's own has.
func appendOwn(dst []byte, d *Delivery) []byte {
	if d.Edits == nil || !d.Edits.Anonymous {
		dst = append(dst, server...)
	}
	dst = appendDate(dst, d.Date)
	if d.Edits != nil {
		dst = append(dst, d.Edits.lines...)
	}
	return append(dst, d.Fields...)
}

// AppendFixed appends a whole fixed-response (ELBv2 FixedResponseActionConfig).
func AppendFixed(dst []byte, status int, contentType, body string, head bool, d *Delivery) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, phrases[status]...)
	dst = appendOwn(append(dst, "\r\n"...), d)
	if contentType != "" {
		dst = append(dst, "Content-Type: "...)
		dst = append(dst, contentType...)
		dst = append(dst, "\r\n"...)
	}
	bodiless := status == 204 || status == 304
	if !bodiless {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = appendConnection(dst, d.Close, true)
	dst = append(dst, "\r\n"...)
	if head || bodiless {
		return dst
	}
	return append(dst, body...)
}
