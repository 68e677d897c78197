package jwt_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/jwt"
)

// A token as providers make them, of some 800 bytes.
var usual = good(`"iat":1`, `"jti":"5f0e1d2c-3b4a-5968-7786-958473625140"`, `"aud":["account","shop"]`, `"sub":"0a1b2c3d-4e5f-6978-8796-a5b4c3d2e1f0"`,
	`"typ":"Bearer"`, `"azp":"shop-client"`, `"acr":"1"`, `"realm_access":{"roles":["offline_access","uma_authorization","default-roles-shop"]}`,
	`"resource_access":{"account":{"roles":["manage-account","manage-account-links","view-profile"]}}`, `"scope":"openid profile email"`,
	`"email_verified":false`, `"client_id":"shop-client"`, `"clientHost":"192.0.2.1"`, `"preferred_username":"service-account-shop-client"`)

var claims = []jwt.Claim{{Name: "scope", Format: jwt.SpaceValues, Values: []string{"email"}}, {Name: "aud", Format: jwt.StringArray, Values: []string{"shop"}}}

// A token that the checker sees for the first time.
func BenchmarkCheckES256(b *testing.B) { bench(b, sign(ecKey, byEC, usual), false) }
func BenchmarkCheckRS256(b *testing.B) { bench(b, sign(rsaKey, byRSA, usual), false) }

// One that comes again.
func BenchmarkCheckKnown(b *testing.B) { bench(b, sign(ecKey, byEC, usual), true) }

func bench(b *testing.B, token []byte, known bool) {
	one := jwks(jwk("r", &rsaKey.PublicKey), jwk("e", &ecKey.PublicKey))
	sets := []*jwt.Set{mustParse(b, one), mustParse(b, one)}
	c, at := jwt.New(issuer, claims), now.Add(time.Second)
	b.ReportAllocs()
	began := cpu()
	for i := 0; b.Loop(); i++ {
		set := sets[0]
		if !known {
			set = sets[i&1] // what is known is known by one set
		}
		if got := c.Check(token, set, at); got != jwt.Valid {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}

// cpu is how long the process has had a CPU: the time that counts where others run too.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails only for other arguments
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
