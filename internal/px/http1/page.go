package http1

import (
	"strconv"
	"time"
)

// Continue answers Expect: 100-continue.
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"

// titles are the reasons of the responses that we make, as the service words them.
var titles = map[int]string{
	400: "Bad Request", 401: "Authorization Required", 403: "Forbidden", 405: "Not Allowed", 408: "Request Time-out",
	413: "Request Entity Too Large", 414: "Request-URI Too Large", 500: "Internal Server Error", 501: "Not Implemented",
	502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out", 505: "HTTP Version Not Supported",
	463: "X-Forwarded-For Too Long",
}

// Title returns the reason of a status that we answer.
func Title(status int) string {
	if t := titles[status]; t != "" {
		return t
	}
	return "Status " + strconv.Itoa(status)
}

// AppendPage appends one of our own error responses, whole.
func AppendPage(dst []byte, status int, now time.Time, c ToClient) []byte {
	title := strconv.Itoa(status) + " " + Title(status)
	body := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
	return AppendFixed(dst, status, Title(status), "text/html", body, now, c)
}

// AppendFixed appends a response that we make, whole.
func AppendFixed(dst []byte, status int, reason, contentType, body string, now time.Time, c ToClient) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason...)
	dst = append(dst, "\r\nServer: awselb/2.0\r\nDate: "...)
	dst = now.UTC().AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
	if contentType != "" {
		dst = append(dst, "\r\nContent-Type: "...)
		dst = append(dst, contentType...)
	}
	dst = append(dst, "\r\n"...)
	if status != 204 {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = append(appendConnection(dst, c.Close), "\r\n"...)
	if c.Head || status == 204 {
		return dst
	}
	return append(dst, body...)
}
