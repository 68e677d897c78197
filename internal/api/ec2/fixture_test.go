package ec2_test

import (
	"regexp"
	"testing"

	ec2api "github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/testkit/wirefixture"
)

const fixtures = "testdata/wire"

func TestRequestsAreAnsweredAsWritten(t *testing.T) {
	madeID := wirefixture.New{Pattern: regexp.MustCompile(`([a-z][a-z0-9]*(?:-[a-z]+)*)-[0-9a-f]{17,33}`), As: "$1-NEW"}
	wirefixture.Run(t, fixtures, func(t *testing.T, _ string) wirefixture.World {
		w := newWorld(t)
		return wirefixture.World{
			Send: func(t *testing.T, action string, params ...string) (status int, body string) {
				t.Helper()
				return w.send(t, account, action, params...)
			},
			Revision: func() int64 { return w.store.Snapshot().Revision() },
			Names:    map[string]string{"account": account, "stranger": stranger},
			New:      []wirefixture.New{madeID},
		}
	})
}

// Each code for an id that names nothing, or that could name nothing, has a fixture.
func TestEveryCodeForAnIDHasAFixture(t *testing.T) {
	shown := wirefixture.Codes(t, fixtures)
	for _, code := range ec2api.IPAMIDCodes() {
		if shown[code] == nil {
			t.Errorf("no fixture shows %s", code)
		}
	}
}
