package audit

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redacted stands where a secret was.
const redacted = "(redacted)"

// secretWords are what the names of secret members contain, in lower case and
// without what isn't a letter: PrivateKey and Passphrase of ACM, Password,
// ClientSecret of OIDC, SecretAccessKey, and what else goes by such names. A word
// too many hides a value that nobody needed; one too few tells a secret to whoever
// reads the log.
var secretWords = [][]byte{
	[]byte("secret"), []byte("password"), []byte("passwd"), []byte("passphrase"), []byte("privatekey"), []byte("credential"), []byte("apikey"),
	[]byte("accesstoken"), []byte("authtoken"), []byte("bearertoken"), []byte("idtoken"), []byte("refreshtoken"), []byte("securitytoken"), []byte("sessiontoken"),
}

// secretName says whether a parameter with the name is secret: one of its parts
// is, whatever is below or above.
func secretName(name string) bool {
	var room [128]byte
	letters := room[:0]
	for _, r := range name {
		if unicode.IsLetter(r) {
			letters = utf8.AppendRune(letters, unicode.ToLower(r))
		}
	}
	return slices.ContainsFunc(secretWords, func(w []byte) bool { return bytes.Contains(letters, w) })
}

// secretsOf returns those parameters that are secret: by their own name, or by
// the name that a pair gives its value, as a tag's Key=password, Value=… does.
func secretsOf(parameters map[string]string) map[string]string {
	secrets := map[string]string{}
	var pairs []string // prefixes of pairs whose value is secret
	for name, value := range parameters {
		if secretName(name) {
			secrets[name] = value
		}
		at := strings.LastIndexByte(name, '.') + 1
		switch strings.ToLower(name[at:]) {
		case "key", "name", "field":
			if at > 0 && secretName(value) {
				pairs = append(pairs, name[:at])
			}
		}
	}
	for _, prefix := range pairs {
		for name, value := range parameters {
			if strings.HasPrefix(name, prefix) {
				secrets[name] = value
			}
		}
	}
	return secrets
}

// quoted is how much of a secret makes a message that has it a secret, too:
// messages quote what was sent, the beginning of it if it is long.
const quoted = 8

// withoutSecrets returns a message, or what stands for one that tells a secret.
func withoutSecrets(message string, secrets map[string]string) string {
	for _, value := range secrets {
		if value != "" && strings.Contains(message, value[:min(quoted, len(value))]) {
			return redacted
		}
	}
	return message
}
