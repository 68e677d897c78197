package jwt_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/jwt"
)

func TestTokensAreTakenFromTheAuthorizationFieldOfBearers(t *testing.T) {
	for field, want := range map[string]string{
		"Bearer a.b.c": "a.b.c", "bearer a.b.c": "a.b.c", "BEARER   a.b.c": "a.b.c",
		"Bearer": "", "Bearer ": "", "Basic a.b.c": "", "": "", "a.b.c": "", "Bearer\ta.b.c": "",
		"Bearer " + strings.Repeat("a", jwt.MaxTokenBytes+1): "",
	} {
		got, ok := jwt.Token([]byte(field))
		if ok != (want != "") || ok && string(got) != want {
			t.Errorf("%.40q: got %q, %v; want %q", field, got, ok, want)
		}
	}
}

func TestTokensOfTheIssuerPass(t *testing.T) {
	c, keys := jwt.New(issuer, nil), bothKeys(t)
	for name, token := range map[string][]byte{
		"RS256":             sign(rsaKey, byRSA, good()),
		"ES256":             sign(ecKey, byEC, good()),
		"no kid":            sign(ecKey, `{"alg":"ES256"}`, good()),
		"another type":      sign(ecKey, `{"typ":"at+jwt","alg":"ES256","kid":"e","x5t":"abc"}`, good()),
		"escaped":           sign(ecKey, `{"\u0061lg":"ES2\u00356","kid":"e"}`, `{"iss":"https:\/\/id.test\/","\u0065xp":1e12}`),
		"all times":         sign(ecKey, byEC, good(fmt.Sprintf(`"nbf":%d,"iat":%d.5`, now.Unix(), now.Unix()-1))),
		"whatever besides":  sign(ecKey, byEC, good(`"a":[1,-2.5e-3,{"b":null,"b":true},"\ud83d\ude00"],"c":{},"d":[],"e":"é"`)),
		"space in the JSON": sign(ecKey, " {\t\"alg\" :\n\"ES256\",\r\"kid\": \"e\" } ", good()),
	} {
		for range 2 { // checked, and known
			if got := c.Check(token, keys, now); got != jwt.Valid {
				t.Errorf("%s: got %v, want it to pass", name, got)
			}
		}
	}
}

// The ways in which verifiers of JWS have been deceived, RFC 8725 §2 among others.
func TestTokensThatDeceiveAreRefused(t *testing.T) {
	c, keys := jwt.New(issuer, nil), bothKeys(t)
	pub, _ := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	hmacWith := func(secret []byte, header string) []byte {
		signed := b64([]byte(header)) + "." + b64([]byte(good()))
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(signed))
		return []byte(signed + "." + b64(m.Sum(nil)))
	}
	fine := string(sign(ecKey, byEC, good()))
	parts := strings.Split(fine, ".")
	forRSA := strings.Split(string(sign(rsaKey, byRSA, good())), ".")
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	der, _ := ecKey.Sign(nil, digest[:], crypto.SHA256)
	forPSS := sha256.Sum256([]byte(forRSA[0] + "." + forRSA[1]))
	pss, _ := rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, forPSS[:], nil)
	for name, tt := range map[string]struct {
		token []byte
		want  jwt.Reason
	}{
		"no algorithm":                  {sign(ecKey, `{"kid":"e"}`, good()), jwt.FormatInvalid},
		"none":                          {[]byte(b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."), jwt.FormatInvalid},
		"None, with a signature":        {sign(ecKey, `{"alg":"None","kid":"e"}`, good()), jwt.FormatInvalid},
		"an algorithm in another case":  {sign(ecKey, `{"alg":"es256","kid":"e"}`, good()), jwt.FormatInvalid},
		"a list of algorithms":          {sign(ecKey, `{"alg":["ES256"],"kid":"e"}`, good()), jwt.FormatInvalid},
		"HS256 with the public key":     {hmacWith(pub, `{"alg":"HS256","kid":"r"}`), jwt.FormatInvalid},
		"RS256 said of HMAC":            {hmacWith(pub, byRSA), jwt.SignatureInvalid},
		"PS256":                         {[]byte(forRSA[0] + "." + forRSA[1] + "." + b64(pss)), jwt.SignatureInvalid},
		"PS256, and says so":            {sign(rsaKey, `{"alg":"PS256","kid":"r"}`, good()), jwt.FormatInvalid},
		"RS256 by the EC key's name":    {sign(rsaKey, `{"alg":"RS256","kid":"e"}`, good()), jwt.KeyUnknown},
		"ES256 by the RSA key's name":   {sign(ecKey, `{"alg":"ES256","kid":"r"}`, good()), jwt.KeyUnknown},
		"signed by another's key":       {sign(otherEC, byEC, good()), jwt.SignatureInvalid},
		"an unknown key":                {sign(ecKey, `{"alg":"ES256","kid":"x"}`, good()), jwt.KeyUnknown},
		"a kid that is no text":         {sign(ecKey, `{"alg":"ES256","kid":1}`, good()), jwt.FormatInvalid},
		"an empty kid":                  {sign(ecKey, `{"alg":"ES256","kid":""}`, good()), jwt.KeyUnknown},
		"with its own key":              {sign(otherEC, `{"alg":"ES256","jwk":`+jwk("", &otherEC.PublicKey)+`}`, good()), jwt.FormatInvalid},
		"with our key as its own":       {sign(ecKey, `{"alg":"ES256","kid":"e","jwk":`+jwk("", &ecKey.PublicKey)+`}`, good()), jwt.FormatInvalid},
		"with a set of its own":         {sign(ecKey, `{"alg":"ES256","kid":"e","jku":"https://evil.test/"}`, good()), jwt.FormatInvalid},
		"with a certificate's URL":      {sign(ecKey, `{"alg":"ES256","kid":"e","x5u":"https://evil.test/"}`, good()), jwt.FormatInvalid},
		"with a certificate":            {sign(ecKey, `{"alg":"ES256","kid":"e","x5c":["MII="]}`, good()), jwt.FormatInvalid},
		"critical":                      {sign(ecKey, `{"alg":"ES256","kid":"e","crit":["b64"],"b64":false}`, good()), jwt.FormatInvalid},
		"critical, of nothing":          {sign(ecKey, `{"alg":"ES256","kid":"e","crit":[]}`, good()), jwt.FormatInvalid},
		"the algorithm twice":           {sign(ecKey, `{"alg":"none","kid":"e","alg":"ES256"}`, good()), jwt.FormatInvalid},
		"the algorithm twice, escaped":  {sign(ecKey, `{"alg":"ES256","kid":"e","\u0061lg":"ES256"}`, good()), jwt.FormatInvalid},
		"a claim twice":                 {sign(ecKey, byEC, good(`"iss":"https://evil.test/"`)), jwt.FormatInvalid},
		"a claim twice, escaped":        {sign(ecKey, byEC, good(`"\u0065xp":1`)), jwt.FormatInvalid},
		"signed in DER":                 {[]byte(parts[0] + "." + parts[1] + "." + b64(der)), jwt.SignatureInvalid},
		"signed with zeros":             {[]byte(parts[0] + "." + parts[1] + "." + b64(make([]byte, 64))), jwt.SignatureInvalid},
		"not signed":                    {[]byte(parts[0] + "." + parts[1] + "."), jwt.SignatureInvalid},
		"signed, but another payload":   {[]byte(parts[0] + "." + b64([]byte(good(`"sub":"root"`))) + "." + parts[2]), jwt.SignatureInvalid},
		"signed, but another header":    {[]byte(b64([]byte(`{"kid":"e","alg":"ES256"}`)) + "." + parts[1] + "." + parts[2]), jwt.SignatureInvalid},
		"two parts":                     {[]byte(parts[0] + "." + parts[1]), jwt.FormatInvalid},
		"four parts":                    {[]byte(fine + "."), jwt.FormatInvalid},
		"five parts":                    {[]byte(fine + ".a.b"), jwt.FormatInvalid},
		"nothing":                       {nil, jwt.FormatInvalid},
		"padding":                       {[]byte(parts[0] + "." + parts[1] + "." + parts[2] + "=="), jwt.FormatInvalid},
		"a line's end within":           {[]byte(parts[0] + "." + parts[1] + "." + parts[2][:4] + "\r\n" + parts[2][4:]), jwt.FormatInvalid},
		"base64 of the other alphabet":  {[]byte(parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace("-_"+parts[2][2:])), jwt.FormatInvalid},
		"bits that mean nothing":        {[]byte(parts[0] + "." + parts[1] + "." + lastBitSet(parts[2])), jwt.FormatInvalid},
		"bytes after the payload":       {sign(ecKey, byEC, good()+"{}"), jwt.FormatInvalid},
		"a payload that is a list":      {sign(ecKey, byEC, "["+good()+"]"), jwt.FormatInvalid},
		"a payload that isn't UTF-8":    {sign(ecKey, byEC, good("\"a\":\"\xff\"")), jwt.FormatInvalid},
		"half of a surrogate pair":      {sign(ecKey, byEC, good(`"a":"\ud800"`)), jwt.FormatInvalid},
		"a control character in a text": {sign(ecKey, byEC, good("\"a\":\"\n\"")), jwt.FormatInvalid},
		"nested without end":            {sign(ecKey, byEC, good(`"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000))), jwt.FormatInvalid},
		"members without end":           {sign(ecKey, byEC, good(manyMembers(200)...)), jwt.FormatInvalid},
		"longer than a field can be":    {sign(ecKey, byEC, good(`"a":"`+strings.Repeat("x", jwt.MaxTokenBytes)+`"`)), jwt.FormatInvalid},
	} {
		if got := c.Check(tt.token, keys, now); got != tt.want {
			t.Errorf("%s: got %d %v, want %d %v", name, got, got, tt.want, tt.want)
		}
	}
}

func manyMembers(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(`"m%d":0`, i))
	}
	return out
}

// lastBitSet sets the lowest bit of the last of 86 characters, of 64 bytes, which is none of theirs.
func lastBitSet(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[last|1])
}

func TestClaimsAreHeldToWhatTheyHaveToSay(t *testing.T) {
	claims := []jwt.Claim{
		{Name: "client", Format: jwt.SingleString, Values: []string{"a", "b"}},
		{Name: "scope", Format: jwt.SpaceValues, Values: []string{"read", "write"}},
		{Name: "aud", Format: jwt.StringArray, Values: []string{"x", "y"}},
		{Name: "aud", Format: jwt.StringArray, Values: []string{"z\""}},
	}
	keys := bothKeys(t)
	for name, tt := range map[string]struct {
		client, scope, aud string
		want               jwt.Reason
	}{
		"all":                       {`"a"`, `"read other"`, `["y","z\""]`, jwt.Valid},
		"other ones":                {`"b"`, `"other write"`, `["x","q","\u007a\u0022"]`, jwt.Valid},
		"none":                      {``, `"read"`, `["x","z\""]`, jwt.ClaimNotPresent},
		"another text":              {`"c"`, `"read"`, `["x","z\""]`, jwt.ClaimValueInvalid},
		"a text with more":          {`"a "`, `"read"`, `["x","z\""]`, jwt.ClaimValueInvalid},
		"a list for a text":         {`["a"]`, `"read"`, `["x","z\""]`, jwt.ClaimFormatInvalid},
		"words, not among them":     {`"a"`, `"reader rewrite"`, `["x","z\""]`, jwt.ClaimValueInvalid},
		"no words":                  {`"a"`, `""`, `["x","z\""]`, jwt.ClaimValueInvalid},
		"words as a list":           {`"a"`, `["read"]`, `["x","z\""]`, jwt.ClaimFormatInvalid},
		"a text for a list":         {`"a"`, `"read"`, `"x"`, jwt.ClaimFormatInvalid},
		"an empty list":             {`"a"`, `"read"`, `[]`, jwt.ClaimValueInvalid},
		"a list without one":        {`"a"`, `"read"`, `["x"]`, jwt.ClaimValueInvalid},
		"a list of other things":    {`"a"`, `"read"`, `["x","z\"",1]`, jwt.ClaimFormatInvalid},
		"a list that hides a value": {`"a"`, `"read"`, `[["x"],"z\""]`, jwt.ClaimFormatInvalid},
		"null":                      {`null`, `"read"`, `["x","z\""]`, jwt.ClaimFormatInvalid},
		"a number":                  {`1`, `"read"`, `["x","z\""]`, jwt.ClaimFormatInvalid},
	} {
		more := []string{`"scope":` + tt.scope, `"aud":` + tt.aud}
		if tt.client != "" {
			more = append(more, `"client":`+tt.client)
		}
		if got := jwt.New(issuer, claims).Check(sign(ecKey, byEC, good(more...)), keys, now); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
	for payload, want := range map[string]jwt.Reason{
		`{}`:                         jwt.ClaimNotPresent,
		`{"exp":9999999999}`:         jwt.ClaimNotPresent,
		`{"iss":"https://id.test/"}`: jwt.ClaimNotPresent,
		`{"iss":"https://id.test","exp":9999999999}`:            jwt.ClaimValueInvalid,
		`{"iss":"https://ID.test/","exp":9999999999}`:           jwt.ClaimValueInvalid,
		`{"iss":["https://id.test/"],"exp":9999999999}`:         jwt.ClaimFormatInvalid,
		`{"iss":"https://id.test/","exp":"9999999999"}`:         jwt.ClaimFormatInvalid,
		`{"iss":"https://id.test/","exp":null}`:                 jwt.ClaimFormatInvalid,
		`{"iss":"https://id.test/","exp":1e999}`:                jwt.ClaimFormatInvalid,
		`{"iss":"https://id.test/","exp":-1}`:                   jwt.ClaimValueInvalid,
		`{"iss":"https://id.test/","exp":0x7fffffffff}`:         jwt.FormatInvalid,
		`{"iss":"https://id.test/","exp":09999999999}`:          jwt.FormatInvalid,
		`{"iss":"https://id.test/","exp":9999999999,}`:          jwt.FormatInvalid,
		`{"iss":"https://id.test/" "exp":9999999999}`:           jwt.FormatInvalid,
		`{"iss":"https://id.test/","exp":9999999999,"nbf":"0"}`: jwt.ClaimFormatInvalid,
	} {
		if got := jwt.New(issuer, nil).Check(sign(ecKey, byEC, payload), keys, now); got != want {
			t.Errorf("%s: got %v, want %v", payload, got, want)
		}
	}
}

// There is no leeway, and a token that is known is held to its times as one that isn't.
func TestTokensCountToTheMoment(t *testing.T) {
	keys := bothKeys(t)
	at := now.Unix()
	for payload, want := range map[string][3]jwt.Reason{ // a ms before now, now, and a ms later
		fmt.Sprintf(`"exp":%d`, at):                        {jwt.Valid, jwt.ClaimValueInvalid, jwt.ClaimValueInvalid},
		fmt.Sprintf(`"exp":%d.001`, at):                    {jwt.Valid, jwt.Valid, jwt.ClaimValueInvalid},
		fmt.Sprintf(`"exp":%d,"nbf":%d`, at+9, at):         {jwt.ClaimValueInvalid, jwt.Valid, jwt.Valid},
		fmt.Sprintf(`"exp":%d,"iat":%d`, at+9, at):         {jwt.ClaimValueInvalid, jwt.Valid, jwt.Valid},
		fmt.Sprintf(`"exp":%d,"nbf":1,"iat":%d`, at+9, at): {jwt.ClaimValueInvalid, jwt.Valid, jwt.Valid},
		fmt.Sprintf(`"exp":%d,"nbf":%d`, at, at):           {jwt.ClaimValueInvalid, jwt.ClaimValueInvalid, jwt.ClaimValueInvalid},
	} {
		token := sign(ecKey, byEC, fmt.Sprintf(`{"iss":%q,%s}`, issuer, payload))
		c := jwt.New(issuer, nil)
		for range 2 { // what was good is known the second time
			for i, d := range []time.Duration{-time.Millisecond, 0, time.Millisecond} {
				if got := c.Check(token, keys, now.Add(d)); got != want[i] {
					t.Errorf("%s, %v: got %v, want %v", payload, d, got, want[i])
				}
			}
		}
	}
}

// What a checker knows of a token is worth nothing by other keys.
func TestTokensThatAreKnownAreForgottenWithTheirKeys(t *testing.T) {
	c := jwt.New(issuer, nil)
	token := sign(ecKey, byEC, good())
	if got := c.Check(token, bothKeys(t), now); got != jwt.Valid {
		t.Fatal(got)
	}
	if got := c.Check(token, mustParse(t, jwks(jwk("e", &otherEC.PublicKey))), now); got != jwt.SignatureInvalid {
		t.Errorf("another key of the name: got %v, want %v", got, jwt.SignatureInvalid)
	}
	if got := c.Check(token, mustParse(t, jwks(jwk("r", &rsaKey.PublicKey))), now); got != jwt.KeyUnknown {
		t.Errorf("the key is gone: got %v, want %v", got, jwt.KeyUnknown)
	}
}

func TestChecksOfTokensThatAreKnownAllocateNothing(t *testing.T) {
	c, keys, token := jwt.New(issuer, nil), bothKeys(t), sign(ecKey, byEC, good())
	if n := testing.AllocsPerRun(100, func() { c.Check(token, keys, now) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
