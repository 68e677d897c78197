package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Fingerprint is equal for calls whose parameters, but for the client token, are
// equal.
func (c *Call) Fingerprint() string {
	names := make([]string, 0, len(c.Form))
	for name := range c.Form {
		if name != "ClientToken" && name != "DryRun" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		for _, v := range c.Form[name] {
			h.Write([]byte(escape(name, false) + "=" + escape(v, false) + "&"))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
