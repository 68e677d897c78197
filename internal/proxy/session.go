package proxy

import "crypto/tls"

// session is what a client and a listener have agreed on in TLS, in OpenSSL's
// names, as security policies name it.
type session struct{ protocol, cipher string }

// sessionOf returns the session of a connection whose handshake is done.
func sessionOf(conn *tls.Conn) session {
	s := conn.ConnectionState()
	return session{protocol: protocolNames[s.Version], cipher: cipherNames[s.CipherSuite]}
}

var protocolNames, cipherNames = inverse(protocols), inverse(cipherSuites)

func inverse(numbers map[string]uint16) map[uint16]string {
	names := make(map[uint16]string, len(numbers))
	for name, n := range numbers {
		names[n] = name
	}
	return names
}
