package proxy

import (
	"crypto/tls"
	"strings"

	"github.com/fairlead/fairlead/internal/proxy/clientcert"
)

// session is what a client and a listener have agreed on in TLS, in OpenSSL's
// names, as security policies name it.
type session struct {
	protocol, cipher string
	exchange         string // how keys were agreed on
	domain           string // that the client asked for, and was shown a certificate of
	certificate      string // ARN, or that it has gone on with a former session
	http2            bool   // which protocol they speak within
	weak             bool   // HTTP/2 mustn't be spoken within

	mutual  bool            // the client was asked for a certificate
	client  *identity       // that it has shown; nil: none
	failure clientcert.Code // why there is no session
}

// reusedSession is what access logs say in place of a certificate.
const reusedSession = "session-reused"

// sessionOf returns the session of a connection whose handshake is over, with an error
// if it has failed.
func sessionOf(conn *tls.Conn, err error) session {
	s := conn.ConnectionState()
	m, _ := conn.NetConn().(*memory)
	out := session{failure: failureOf(m, err), mutual: m.mutual(), client: m.identify(&s), protocol: protocolNames[s.Version], cipher: cipherNames[s.CipherSuite], http2: s.NegotiatedProtocol == "h2", weak: !allowsHTTP2(s.Version, s.CipherSuite)}
	if s.CurveID != 0 {
		out.exchange = s.CurveID.String()
		if name, ok := groupNames[s.CurveID]; ok {
			out.exchange = name
		}
	}
	switch {
	case s.DidResume:
		out.certificate, out.domain = reusedSession, strings.ToLower(s.ServerName)
	case m != nil && m.chosen != nil:
		out.certificate = m.chosen.from.ARN
		if m.named {
			out.domain = strings.ToLower(s.ServerName)
		}
	}
	return out
}

var protocolNames, cipherNames = inverse(protocols), inverse(cipherSuites)

// groupNames are those of key exchanges that OpenSSL calls by another name.
var groupNames = map[tls.CurveID]string{
	tls.CurveP256: "secp256r1", tls.CurveP384: "secp384r1", tls.CurveP521: "secp521r1",
}

func inverse(numbers map[string]uint16) map[uint16]string {
	names := make(map[uint16]string, len(numbers))
	for name, n := range numbers {
		names[n] = name
	}
	return names
}
